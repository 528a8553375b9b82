// Before the first socket: completions run on the thread that polls them, which saves the hop to the pool that costs more
// than all that is done with the bytes. Nothing here blocks a thread, or that hop would be needed.
if (Environment.GetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS") is null)
{
    Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
}

return await LlmProxy.Host.Commands.CommandLine.RunAsync(args);
