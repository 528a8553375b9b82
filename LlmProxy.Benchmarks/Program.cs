using System.Globalization;
using BenchmarkDotNet.Running;
using LlmProxy.Benchmarks.Contention;
using LlmProxy.Benchmarks.Guard;
using LlmProxy.Benchmarks.MethodOrder;
using LlmProxy.Benchmarks.MethodProfile;
using LlmProxy.Benchmarks.Requests;
using LlmProxy.Benchmarks.Soak;
using LlmProxy.Benchmarks.StreamLatency;

if (args is ["soak", .. var rest])
{
    return await SoakRun.RunAsync(SoakOptions.Parse(rest));
}

if (args is ["contention"])
{
    return ContentionRun.Run();
}

if (args is ["guard"])
{
    return GuardRun.Run();
}

if (args is ["allocations", .. var events])
{
    return AllocationRun.Run(events is [var count] ? int.Parse(count, CultureInfo.InvariantCulture) : 0);
}

if (args is ["stream", .. var streamed])
{
    return await StreamCommand.RunAsync(streamed);
}

if (args is ["order"])
{
    return await OrderRun.RunAsync();
}

if (args is ["profile"])
{
    return await ProfileRun.RunAsync();
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
