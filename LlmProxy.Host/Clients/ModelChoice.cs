using LlmProxy.Core;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Clients;

/// <summary>The model that a client is told to ask for.</summary>
/// <param name="Model">Null: the client's own names do, it finds them out, or none is known.</param>
/// <param name="Suited">All that suit it, by name.</param>
/// <param name="ServesOwnNames">Names that the client brings along are served.</param>
/// <param name="Warning">What is wrong with the one that was named, for people.</param>
internal sealed record ModelChoice(string? Model, IReadOnlyList<string> Suited, bool ServesOwnNames, string? Warning)
{
    private const int MostNames = 8;

    /// <summary>Chooses: the one that is named, else the first that suits.</summary>
    /// <param name="client">For whom.</param>
    /// <param name="outline">What is served; null: nobody knows.</param>
    /// <param name="named">By the user; null: none.</param>
    /// <param name="allowed">The names that the key may use; null: that is not known.</param>
    /// <param name="isDemo">It is the demo that serves.</param>
    /// <exception cref="RefusedException">None suits.</exception>
    public static ModelChoice Make(KnownClient client, LlmProxyOutline? outline, string? named, IReadOnlyList<string>? allowed, bool isDemo)
    {
        if (outline is null)
        {
            return new ModelChoice(named, [], false, null);
        }

        var suited = outline.Models.Where(model => Serves(outline, model, client)).ToList();
        var names = suited.Where(model => !IsPattern(model) && (allowed is null || allowed.Contains(model))).ToList();
        var patterns = suited.Where(IsPattern).ToList();
        var ownNames = client.OwnNames is { } own && patterns.Exists(pattern => own.StartsWith(pattern[..^1], StringComparison.Ordinal));
        if (named is not null)
        {
            return new ModelChoice(named, names, ownNames, WarningFor(named, client, outline, allowed, names.Concat(patterns)));
        }

        // What would steer a terminal is no name that anybody should be given unasked.
        if (names.Find(static name => Visible.Line(name) == name) is { } first)
        {
            return new ModelChoice(client.ListsModels ? null : first, names, ownNames, null);
        }

        return ownNames || (client.ListsModels && patterns.Count > 0) ? new ModelChoice(null, [], ownNames, null)
            : patterns.Count > 0 ? throw new RefusedException($"{client.Title} has to be told a model's name, and only patterns serve {client.Path} here: {Few(patterns)}. Name one with --model.")
            : throw new RefusedException(allowed is not null && suited.Count > 0
                ? $"No model that this key may use serves {client.Path}, which {client.Title} needs."
                : NoneFor(client, outline, isDemo));
    }

    private static string NoneFor(KnownClient client, LlmProxyOutline outline, bool isDemo) =>
        $"No model here serves {client.Path}, which {client.Title} needs{(outline.Models.Any() ? $" (there is {Few(outline.Models)})" : "")}. "
        + (isDemo
            ? "That is the demo, which plays at chat alone: llmproxy init writes a configuration for real models."
            : "Its upstream has to serve that by its Kind or its Operations.");

    private static string? WarningFor(string named, KnownClient client, LlmProxyOutline outline, IReadOnlyList<string>? allowed, IEnumerable<string> suited)
    {
        // As the proxy finds it: the name itself, else the longest pattern that fits.
        var found = outline.Models.Contains(named, StringComparer.Ordinal)
            ? named
            : outline.Models.Where(model => IsPattern(model) && named.StartsWith(model[..^1], StringComparison.Ordinal)).MaxBy(static model => model.Length);
        var instead = Few(suited) is { Length: > 0 } few ? $" These do: {few}." : "";
        return found is null ? $"There is no model \"{Visible.Line(named)}\" here.{(instead.Length > 0 ? $" There is: {Few(suited)}." : "")}"
            : !Serves(outline, found, client) ? $"\"{Visible.Line(named)}\" does not serve {client.Path}, which {client.Title} needs.{instead}"
            : allowed is not null && found == named && !allowed.Contains(named) ? $"This key may not use \"{Visible.Line(named)}\"."
            : null;
    }

    private static bool IsPattern(string model) => model.EndsWith('*');

    // What is not known is not held against it.
    private static bool Serves(LlmProxyOutline outline, string model, KnownClient client) =>
        outline.GetOperations(model) is not { } operations || operations.Contains(client.Operation);

    private static string Few(IEnumerable<string> names)
    {
        var all = names.Select(Visible.Line).ToList();
        return all.Count <= MostNames ? string.Join(", ", all) : $"{string.Join(", ", all.Take(MostNames))} and {all.Count - MostNames} more";
    }
}
