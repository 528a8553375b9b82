using LlmProxy.Core.Configuration;

namespace LlmProxy.Host.Listening;

/// <summary>Where this run listens.</summary>
internal sealed class ListenPlan
{
    private const string Default = "http://127.0.0.1:8000";

    private static readonly string[] _variables = ["ASPNETCORE_URLS", "DOTNET_URLS"];

    private ListenPlan(IReadOnlyList<ListenAddress> api, ListenAddress? admin, ServerCertificate? certificate, bool isDefault)
    {
        Api = api;
        Admin = admin;
        Certificate = certificate;
        IsDefault = isDefault;
    }

    public IReadOnlyList<ListenAddress> Api { get; }

    /// <summary>The listener of <c>/metrics</c>; null if there is none of its own.</summary>
    public ListenAddress? Admin { get; }

    public ServerCertificate? Certificate { get; }

    /// <summary>Nobody said where, so another port does as well.</summary>
    public bool IsDefault { get; }

    public bool IsLoopback => Api.All(static address => address.IsLoopback);

    /// <summary>Decides it: the command line, the usual variables, the configuration, the default.</summary>
    /// <exception cref="RefusedException">An address or the certificate cannot be used.</exception>
    public static ListenPlan Make(string? urls, ListenOptions options)
    {
        var (written, where) = Written(urls, options);
        var api = (written ?? Default).Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(url => ListenAddress.Parse(url, where)).ToList();
        if (api.Count == 0)
        {
            throw new RefusedException($"{where} holds no address.");
        }

        var admin = options.Admin is { } text ? ListenAddress.Parse(text, "Listen.Admin") : null;
        if (admin is { Port: not 0 } && api.Any(address => address.Port == admin.Port))
        {
            // The two are told apart by their port alone: a Host header can be forged.
            throw new RefusedException($"Listen.Admin needs a port of its own: {admin.Port} is the API's.");
        }

        var needsCertificate = api.Any(static address => address.IsTls) || admin is { IsTls: true };
        if (needsCertificate && options.Certificate is null)
        {
            throw new RefusedException("https:// needs Listen.Certificate: a PEM file with the certificate chain and its private key.");
        }

        var certificate = needsCertificate ? ServerCertificate.Load(options.Certificate!) : null;
        return new ListenPlan(api, admin, certificate, isDefault: written is null);
    }

    /// <summary>The same with the API on another port of its default address.</summary>
    public ListenPlan WithPort(int port) => new([.. Api.Select(address => address.WithPort(port))], Admin, Certificate, IsDefault);

    private static (string? Written, string Where) Written(string? urls, ListenOptions options)
    {
        if (urls is not null)
        {
            return (urls, "--urls");
        }

        foreach (var variable in _variables)
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value)
            {
                return (value, variable);
            }
        }

        return (options.Api, "Listen.Api");
    }
}
