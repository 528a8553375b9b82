using BenchmarkDotNet.Running;
using LlmProxy.Benchmarks.Soak;

if (args is ["soak", .. var rest])
{
    return await SoakRun.RunAsync(SoakOptions.Parse(rest));
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
