using System.Globalization;
using System.Net;

namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="ListenOptions"/>.</summary>
internal static class ListenRules
{
    private const string Example = "write for example \"http://127.0.0.1:8000\".";

    public static void Check(ListenOptions listen, Problems problems)
    {
        var api = CheckAddress("Api", listen.Api, problems);
        var admin = CheckAddress("Admin", listen.Admin, problems);
        if (api is not null && admin is not null && api.Port != 0 && api.Port == admin.Port)
        {
            problems.Error(At("Admin"), "has the port of Api. Give it one of its own.");
        }

        CheckProxies(listen.TrustedProxies, problems);
        var needsCertificate = api?.Scheme == Uri.UriSchemeHttps || admin?.Scheme == Uri.UriSchemeHttps;
        if (needsCertificate && listen.Certificate is null)
        {
            problems.Error(At("Certificate"), "is missing: https needs a PEM file with the chain and its private key.");
        }
        else if (listen.Certificate is { } file && string.IsNullOrWhiteSpace(file))
        {
            problems.Error(At("Certificate"), "is empty. Name a PEM file, or leave it out.");
        }
        else if (listen.Certificate is not null && !needsCertificate && api is not null)
        {
            problems.Warning(At("Certificate"), "is not used: no address starts with https://.");
        }
    }

    private static void CheckProxies(IList<string> proxies, Problems problems)
    {
        for (var i = 0; i < proxies.Count; i++)
        {
            var at = Places.Item(At("TrustedProxies"), i);
            if (!IPAddress.TryParse(proxies[i], out _) && !IPNetwork.TryParse(proxies[i], out _))
            {
                problems.Error(at, $"{Problems.Value} is neither an address nor a network: write for example \"10.0.0.7\" or \"10.0.0.0/8\".", proxies[i]);
            }
            else if (proxies[i].EndsWith("/0", StringComparison.Ordinal))
            {
                problems.Error(at, $"{Problems.Value} is everybody: whoever calls could give itself any address. Name the proxies.", proxies[i]);
            }
        }
    }

    private static Uri? CheckAddress(string name, string? text, Problems problems)
    {
        if (text is null)
        {
            return null;
        }

        if (Explain(text, out var address) is { } problem)
        {
            problems.Error(At(name), problem);
            return null;
        }

        return address;
    }

    // The address is not quoted: somebody may have put credentials into it.
    private static string? Explain(string text, out Uri? address)
    {
        // The server takes * and + for all addresses; Uri does not.
        var host = text.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        if (!Uri.TryCreate(host, UriKind.Absolute, out address) || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
        {
            return HasImpossiblePort(host)
                ? "has no valid port: 0 to 65535, 0 takes any free one."
                : $"is not an http:// or https:// address: {Example}";
        }

        if (address.UserInfo.Length > 0 || address.PathAndQuery != "/" || address.Fragment.Length > 0)
        {
            return $"holds more than scheme, address and port: {Example}";
        }

        // The server would silently listen on all addresses for any other name.
        return address.Host == "localhost" || IPAddress.TryParse(address.Host.Trim('[', ']'), out _)
            ? null
            : $"needs an IP address, localhost or * between \"//\" and the port: {Example}";
    }

    private static bool HasImpossiblePort(string text)
    {
        var port = text.TrimEnd('/')[(text.TrimEnd('/').LastIndexOf(':') + 1)..];
        return port.Length > 0 && port.All(char.IsAsciiDigit) && text.Contains("://", StringComparison.Ordinal)
            && !(int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= ushort.MaxValue);
    }

    private static string At(string name) => Places.Member("Listen", name);
}
