return await LlmProxy.Host.Commands.CommandLine.RunAsync(args);
