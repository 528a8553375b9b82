using LlmProxy.Host.Demo;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Terminal;

/// <summary>What is said once the server has started: where it is, what it serves, and what to do next.</summary>
internal static class Banner
{
    private const int MostModels = 8;

    /// <summary>Prints it.</summary>
    /// <param name="configuration">What was configured.</param>
    /// <param name="plan">Where it was to listen.</param>
    /// <param name="addresses">Where it does: the API's addresses first, the admin listener's last.</param>
    public static void Print(LoadedConfiguration configuration, ListenPlan plan, IReadOnlyList<string> addresses)
    {
        var people = Writers.People;
        var admin = plan.Admin is null ? null : addresses[^1];
        var api = addresses.Take(addresses.Count - (admin is null ? 0 : 1)).ToList();

        people.WriteLine(configuration.IsDemo
            ? $"LlmProxy {ProductVersion.Short}   DEMO: {configuration.Source.Description}, a built-in fake model answers. Nothing leaves this machine."
            : $"LlmProxy {ProductVersion.Short}   configured by {configuration.Source.Description}");
        if (configuration.IsDemo && plan.IsDefault && !api[0].EndsWith($":{plan.Api[0].Port}", StringComparison.Ordinal))
        {
            var holder = PortHolder.Find(plan.Api[0].Port);
            people.WriteLine($"Port {plan.Api[0].Port} is taken{(holder is null ? "" : $" by {holder}")}: this is the next free one.");
        }

        people.WriteLine();
        people.WriteLine($"  API    {string.Join("  ", api.Select(static address => address + "/v1"))}     {Models(configuration)}");
        if (configuration.GeneratedKey is { } key)
        {
            people.WriteLine($"  Key    {key}     valid until you stop this process");
        }

        if (configuration.KeepsKeys && configuration.Options.Keys.Count == 0)
        {
            people.WriteLine("  Keys   in the store: llmproxy keys create NAME");
        }

        if (admin is not null)
        {
            people.WriteLine($"  Admin  {admin}/metrics");
        }

        if (configuration.IsDemo)
        {
            PrintNext(api[0], configuration.GeneratedKey!);
        }

        people.WriteLine();
        people.Flush();
    }

    private static void PrintNext(string address, string key)
    {
        var server = address == "http://127.0.0.1:8000" ? "" : $" --server {address}";
        Writers.People.WriteLine($$$"""

              Try    llmproxy ask "hello" --key {{{key}}}{{{server}}}
                     curl -N {{{address}}}/v1/chat/completions -H "Authorization: Bearer {{{key}}}" -H "Content-Type: application/json" -d '{"model":"{{{DemoUpstream.Model}}}","stream":true,"messages":[{"role":"user","content":"hello"}]}'
              Next   llmproxy init               write llmproxy.json
                     llmproxy connect claude     point Claude Code, Codex, Open WebUI, .NET, … here
            """);
    }

    private static string Models(LoadedConfiguration configuration)
    {
        if (configuration.IsDemo)
        {
            return "model: " + DemoUpstream.Model;
        }

        var names = configuration.Options.Models.Keys;
        if (configuration.Source.Kind == SourceKind.Variables)
        {
            return $"model: {Visible.Line(names.First())}, whatever a client names";
        }

        var shown = string.Join(", ", names.Take(MostModels).Select(Visible.Line));
        return names.Count > MostModels ? $"models: {shown} and {names.Count - MostModels} more" : $"models: {shown}";
    }
}
