using System.CommandLine;

namespace LlmProxy.Host.Commands;

/// <summary>Options that several commands have, made anew for each.</summary>
internal static class CommonOptions
{
    public const string RecordsOff = "requests=off";
    private const string RecordsOn = "requests=on";

    public static Option<string> Configuration() => new("--config")
    {
        Description = "The configuration file. Default: LLMPROXY_CONFIG, ./llmproxy.json, /etc/llmproxy/llmproxy.json, the section LlmProxy of "
            + "./appsettings.json, the variables LLMPROXY_UPSTREAM_URL, _KEY, _MODEL and LLMPROXY_CLIENT_KEY (or URL, DASHSCOPE_API_KEY, "
            + "TARGET_MODEL, VERIFY_API_KEY), else the demo.",
        HelpName = "FILE",
    };

    public static Option<string> Urls() => new("--urls")
    {
        Description = "Where to listen, for example http://127.0.0.1:8000; several with ; between them. Default: ASPNETCORE_URLS, Listen.Api "
            + "of the configuration, else http://127.0.0.1:8000.",
        HelpName = "URLS",
    };

    public static Option<string> Log()
    {
        var option = new Option<string>("--log")
        {
            Description = "requests=off writes no record per request to standard output.",
            HelpName = $"{RecordsOn}|{RecordsOff}",
        };
        option.Validators.Add(static result =>
        {
            if (result.Tokens is not [{ Value: RecordsOn or RecordsOff }])
            {
                result.AddError($"--log takes {RecordsOn} or {RecordsOff}.");
            }
        });
        return option;
    }

    /// <summary>The instance that an admin command asks; none: the one that runs here, else the store.</summary>
    public static Option<Uri?> AdminServer() => Url(
        "--server",
        $"The admin address of an instance elsewhere; its key in {AdminClient.KeyVariable}. Default: the instance that runs here with this configuration, else its store.",
        "http://127.0.0.1:8001");

    /// <summary>An address of HTTP.</summary>
    public static Option<Uri?> Url(string name, string description, string example) => new(name)
    {
        Description = description,
        HelpName = "URL",
        CustomParser = result =>
        {
            if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
            {
                return url;
            }

            result.AddError($"{name} has to be an address such as {example}");
            return null;
        },
    };

    public static Option<bool> Json() => new("--json") { Description = "Prints the result as JSON." };
}
