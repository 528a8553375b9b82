using BenchmarkDotNet.Running;
using LlmProxy.Benchmarks.Guard;
using LlmProxy.Benchmarks.Soak;

if (args is ["soak", .. var rest])
{
    return await SoakRun.RunAsync(SoakOptions.Parse(rest));
}

if (args is ["guard"])
{
    return GuardRun.Run();
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
