using LlmProxy.Core.Configuration;

namespace LlmProxy.Host.Sources;

/// <summary>
/// The four environment variables that configure one upstream and one model: the names of the tool that came before, and our
/// own, which win.
/// </summary>
internal sealed class UpstreamVariables
{
    private const string UpstreamName = "upstream";
    private const string ClientName = "client";

    private static readonly string[] _urlNames = ["LLMPROXY_UPSTREAM_URL", "URL"];
    private static readonly string[] _modelNames = ["LLMPROXY_UPSTREAM_MODEL", "TARGET_MODEL"];
    private static readonly string[] _upstreamKeyNames = ["LLMPROXY_UPSTREAM_KEY", "DASHSCOPE_API_KEY"];
    private static readonly string[] _clientKeyNames = ["LLMPROXY_CLIENT_KEY", "VERIFY_API_KEY"];

    private readonly Variable _url = Find(_urlNames);
    private readonly Variable _model = Find(_modelNames);

    /// <summary>Both that are needed are there.</summary>
    public bool AreComplete => _url.IsFilled && _model.IsFilled;

    /// <summary>The two that count, in words.</summary>
    public string Names => $"{_url.Name} and {_model.Name}";

    /// <summary>Refuses one of the two without the other: whoever set it did not mean the demo.</summary>
    public void RefuseHalf()
    {
        if (_url.IsFilled != _model.IsFilled)
        {
            var (present, missing) = _url.IsFilled ? (_url.Name, _modelNames) : (_model.Name, _urlNames);
            throw new RefusedException(
                $"{present} is set but {missing[1]} (or {missing[0]}) is not. Set both to serve an upstream, or neither.");
        }
    }

    /// <summary>
    /// Whatever model a client names is sent as the one of the variables; only that one is listed, since a pattern is not.
    /// </summary>
    public LlmProxyOptions ToOptions()
    {
        var options = new LlmProxyOptions();
        options.Upstreams[UpstreamName] = new UpstreamOptions { Url = ReadUrl(), ApiKey = ReadSecret(_upstreamKeyNames) };

        var model = _model.Value!.Trim();
        if (model.Contains('*', StringComparison.Ordinal))
        {
            throw new RefusedException($"{_model.Name} has to name one model, without a star.");
        }

        options.Models[model] = ToModel(model);
        options.Models["*"] = ToModel(model);

        if (ReadSecret(_clientKeyNames) is { } key)
        {
            options.Keys[ClientName] = new KeyOptions { Key = key };
        }

        return options;
    }

    private static ModelOptions ToModel(string model) =>
        new() { Targets = { new TargetOptions { Upstream = UpstreamName, Model = model } } };

    private Uri ReadUrl()
    {
        // The value is not repeated: an address may carry a password.
        return Uri.TryCreate(_url.Value!.Trim(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new RefusedException($"{_url.Name} is not an address. Write it like http://127.0.0.1:1234/v1/");
    }

    /// <summary>Null if none is set. One that is set and empty is a mistake in a deployment, and is never taken for "no key".</summary>
    private static string? ReadSecret(string[] names)
    {
        var variable = Find(names);
        if (variable.Value is null)
        {
            return null;
        }

        var secret = variable.Value.Trim();
        return secret.Length == 0 ? throw new RefusedException($"{variable.Name} is set but empty. Give it a value, or unset it.")
            : secret.AsSpan().ContainsAnyExceptInRange('!', '~') ? throw new RefusedException($"{variable.Name} may hold visible ASCII characters only: it goes into a header.")
            : secret;
    }

    private static Variable Find(string[] names)
    {
        foreach (var name in names)
        {
            if (Environment.GetEnvironmentVariable(name) is { } value)
            {
                return new Variable(name, value);
            }
        }

        return new Variable(names[^1], null);
    }

    private readonly record struct Variable(string Name, string? Value)
    {
        public bool IsFilled => !string.IsNullOrWhiteSpace(Value);
    }
}
