using BenchmarkDotNet.Running;
using LlmProxy.Benchmarks.Soak;
using LlmProxy.Benchmarks.StreamLatency;

if (args is ["soak", .. var rest])
{
    return await SoakRun.RunAsync(SoakOptions.Parse(rest));
}

if (args is ["stream", .. var streamed])
{
    return await StreamCommand.RunAsync(streamed);
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
