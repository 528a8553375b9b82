namespace LlmProxy.Host.Clients;

/// <summary>Libraries: a program that asks once and prints the answer as it comes.</summary>
internal static class Programs
{
    private const string Question = "Say hello.";

    public static ClientSetup Python(Connection connection) => Make(connection, "hello.py", "pip install openai", "python hello.py", $$"""
        {{(connection.Key is null ? "import os\n\n" : "")}}from openai import OpenAI

        client = OpenAI(base_url={{Quoting.Literal(connection.Api)}}, api_key={{Key(connection, "os.environ[{0}]")}})
        answer = client.chat.completions.create(
            model={{Model(connection)}},
            messages=[{"role": "user", "content": "{{Question}}"}],
            stream=True,
        )
        for chunk in answer:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()

        """);

    public static ClientSetup LangChain(Connection connection) => Make(connection, "hello.py", "pip install langchain-openai", "python hello.py", $$"""
        {{(connection.Key is null ? "import os\n\n" : "")}}from langchain_openai import ChatOpenAI

        model = ChatOpenAI(base_url={{Quoting.Literal(connection.Api)}}, api_key={{Key(connection, "os.environ[{0}]")}}, model={{Model(connection)}})
        for chunk in model.stream("{{Question}}"):
            print(chunk.content, end="", flush=True)
        print()

        """);

    public static ClientSetup Node(Connection connection) => Make(connection, "hello.mjs", "npm install openai", "node hello.mjs", $$"""
        import OpenAI from "openai";

        const client = new OpenAI({ baseURL: {{Quoting.Literal(connection.Api)}}, apiKey: {{Key(connection, "process.env[{0}]")}} });
        const answer = await client.chat.completions.create({
          model: {{Model(connection)}},
          messages: [{ role: "user", content: "{{Question}}" }],
          stream: true,
        });
        for await (const chunk of answer) {
          process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
        }
        process.stdout.write("\n");

        """);

    public static ClientSetup DotNet(Connection connection) => Make(connection, "Program.cs", "dotnet add package OpenAI", "dotnet run", $$"""
        using System.ClientModel;
        using OpenAI;
        using OpenAI.Chat;

        var client = new ChatClient(
            {{Model(connection)}},
            new ApiKeyCredential({{Key(connection, "Environment.GetEnvironmentVariable({0})!")}}),
            new OpenAIClientOptions { Endpoint = new Uri({{Quoting.Literal(connection.Api)}}) });
        await foreach (var update in client.CompleteChatStreamingAsync("{{Question}}"))
        {
            foreach (var part in update.ContentUpdate)
            {
                Console.Write(part.Text);
            }
        }

        Console.WriteLine();

        """);

    private static ClientSetup Make(Connection connection, string file, string install, string run, string program) => new()
    {
        BaseUrl = connection.Api,
        Variables = connection.Key is null ? [new(Connection.KeyVariable, null)] : [],
        Snippet = program.ReplaceLineEndings("\n"),
        Put = $"into {file}, after {install}",
        Check = $"{run}: it prints the answer word by word",
        Undo = "leave the address out: then the library asks OpenAI itself",
    };

    private static string Model(Connection connection) => Quoting.Literal(connection.Model ?? Connection.UnknownModel);

    private static string Key(Connection connection, string variable) => connection.Key is { } key
        ? Quoting.Literal(key)
        : variable.Replace("{0}", Quoting.Literal(Connection.KeyVariable), StringComparison.Ordinal);
}
