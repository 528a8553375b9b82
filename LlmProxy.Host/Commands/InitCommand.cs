using System.CommandLine;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy init</c>: a first configuration with its explanations.</summary>
internal static class InitCommand
{
    private const string Template = """
        // The configuration of LlmProxy. Comments and trailing commas are allowed; anything misspelt is an error.
        // After a change: llmproxy check
        {
          // For editors, which complete and check by it.
          "$schema": "./llmproxy.schema.json",

          // Where to listen. Other machines can reach 0.0.0.0; that needs Keys below.
          "Listen": { "Api": "http://127.0.0.1:8000" },

          // Where requests go. ${NAME} is an environment variable, ${file:/path} the content of a file.
          "Upstreams": {
            "openai": { "Kind": "OpenAI", "ApiKey": "${OPENAI_API_KEY}" },
            // "local": { "Kind": "Ollama", "Url": "http://127.0.0.1:11434" },
            // "vllm":  { "Kind": "vLLM", "Url": "http://10.0.4.11:8000" },
            // "other": { "Url": "https://llm.example.com/v1", "ApiKey": "${OTHER_API_KEY}" },
          },

          // What clients may ask for, and what that is called upstream. A star stands for the rest of the name.
          "Models": {
            "gpt-*": "openai/gpt-*",
            // "coder": { "Targets": [ { "Upstream": "vllm", "Model": "Qwen/Qwen3-Coder-30B" } ], "Default": { "max_tokens": 4096 } },
            // "*": "local/*",
          },

          // Who may call. Without any key one is made for each run and shown at its start.
          // Make a key:    KEY=sk-llmp-$(openssl rand -hex 24); echo "$KEY"
          // and its hash:  printf %s "$KEY" | llmproxy keys hash
          // "Groups": { "engineering": { "Models": ["gpt-*"] } },
          // "Keys": { "anna": { "Group": "engineering", "Hash": "sha256:…" } },
        }

        """;

    private const string SchemaFile = "llmproxy.schema.json";

    public static Command Create()
    {
        var command = new Command("init", $"Writes a first {ConfigurationLookup.LocalFile} into the current folder, and beside it the schema that editors read.");
        command.SetAction(static _ =>
        {
            if (!TryWrite(ConfigurationLookup.LocalFile, Template.ReplaceLineEndings("\n")))
            {
                throw new RefusedException($"{ConfigurationLookup.LocalFile} is already here, and is left as it is.");
            }

            TryWrite(SchemaFile, LlmProxyConfiguration.Schema);
            Writers.People.WriteLine("Written. Put your upstreams into it, then: llmproxy check");
            Writers.Results.WriteLine(ConfigurationLookup.LocalFile);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Never over a file that is there, which may be somebody's only copy: false then.</summary>
    private static bool TryWrite(string path, string text)
    {
        try
        {
            using var file = new StreamWriter(new FileStream(path, FileMode.CreateNew, FileAccess.Write));
            file.Write(text);
            return true;
        }
        catch (IOException) when (Path.Exists(path))
        {
            return false;
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException($"{path} cannot be written here: {unwritable.Message}");
        }
    }
}
