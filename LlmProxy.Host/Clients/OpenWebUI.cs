namespace LlmProxy.Host.Clients;

/// <summary>A chat for the browser, mostly in a container: by variables that it reads at its first start.</summary>
internal static class OpenWebUI
{
    public static ClientSetup SetUp(Connection connection) => new()
    {
        BaseUrl = connection.Api,
        Variables = [new("OPENAI_API_BASE_URL", connection.Api), new("OPENAI_API_KEY", connection.Key)],
        Put = "into the shell that starts it: open-webui serve, or docker run -e OPENAI_API_BASE_URL -e OPENAI_API_KEY …",
        Check = "its list of models shows those of this key",
        Undo = "unset OPENAI_API_BASE_URL OPENAI_API_KEY, and take the connection out under Admin Settings › Connections",
        Notes = Notes(connection),
    };

    private static List<string> Notes(Connection connection)
    {
        var notes = new List<string>
        {
            "it keeps what its first start was told: later, change it under Admin Settings › Connections, or start it with ENABLE_PERSISTENT_CONFIG=False",
        };
        var address = new Uri(connection.Root);
        if (address.IsLoopback)
        {
            notes.Add($"in a container {address.Host} is the container itself: docker run --add-host=host.docker.internal:host-gateway …, "
                + $"--base-url {address.Scheme}://host.docker.internal:{address.Port} here, and a Listen.Api that containers reach");
        }

        if (connection.Key?.Contains(';', StringComparison.Ordinal) == true)
        {
            notes.Add("it takes a key with ; for several: make another");
        }

        return notes;
    }
}
