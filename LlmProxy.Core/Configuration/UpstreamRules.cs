using System.Net;

namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="UpstreamOptions"/>.</summary>
internal static class UpstreamRules
{
    /// <summary>The operations that may be added or taken away: the names of the endpoints, which are not known yet where this is read.</summary>
    public static IReadOnlyList<string> Operations { get; } = ["chat", "completions", "embeddings", "responses", "messages", "count_tokens", "models"];

    private static readonly TimeSpan LongestClock = TimeSpan.FromHours(24);
    private static readonly string[] ProxyWords = ["Environment", "None"];
    private static readonly string[] ProxySchemes = ["http", "https", "socks4", "socks4a", "socks5"];

    public static void Check(LlmProxyOptions options, Problems problems)
    {
        if (options.Upstreams.Count == 0)
        {
            problems.Error("Upstreams", "no upstream is configured: at least one is needed.");
        }

        foreach (var (name, upstream) in options.Upstreams)
        {
            var path = Places.Member("Upstreams", name);
            if (name.Length > 100 || !IsUpstreamName(name))
            {
                problems.Error(path, "the name of an upstream has 1 to 100 letters (a to z), digits, \".\", \"_\" and \"-\".");
            }

            CheckUrl(path, upstream, problems);
            AzureRules.Check(path, upstream, problems);
            CheckApiKey(Places.Member(path, "ApiKey"), upstream.ApiKey, problems);
            CheckClocks(Places.Member(path, "Timeouts"), upstream.Timeouts, problems);
            CheckOperations(Places.Member(path, "Operations"), upstream.Operations, problems);
            HeaderRules.Check(Places.Member(path, "Headers"), upstream.Headers, problems);
            CheckProxy(Places.Member(path, "Proxy"), upstream.Proxy, problems);
            CheckAuthorities(Places.Member(path, "CaFile"), upstream, problems);
            ResilienceRules.Check(path, upstream, problems);
            if (upstream.HttpVersion != HttpVersion.Version11 && upstream.HttpVersion != HttpVersion.Version20)
            {
                problems.Error(Places.Member(path, "HttpVersion"), "needs 1.1 or 2.");
            }
        }
    }

    // Part of "upstream/model", of header values, of metric labels and of the names of HTTP clients.
    private static bool IsUpstreamName(string name) => name.Length > 0 && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static void CheckUrl(string path, UpstreamOptions upstream, Problems problems)
    {
        var at = Places.Member(path, "Url");
        if (upstream.Url is not { } url)
        {
            // A kind that could not be read may be one whose address is well known.
            if (UpstreamKinds.WellKnownAddress(upstream.Kind) is null && !problems.Places.HasFailed(Places.Member(path, "Kind")))
            {
                problems.Error(at, $"is missing: the address of {UpstreamKinds.Names.First(k => k.Value == upstream.Kind).Word} is not well known. Write for example \"{UpstreamKinds.ExampleAddress(upstream.Kind)}\".");
            }
        }
        else if (!url.IsAbsoluteUri || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
        {
            problems.Error(at, "needs to start with http:// or https://, for example \"http://10.0.4.11:8000\".");
        }
        else if (url.Host.Length == 0 || url.Port is < 1 or > 65535)
        {
            problems.Error(at, "needs a host and a port from 1 to 65535.");
        }
        else if (url.UserInfo.Length > 0)
        {
            problems.Error(at, "holds credentials. Write them as ApiKey or in Headers.");
        }
        else if (url.OriginalString.AsSpan().IndexOfAny('?', '#') >= 0)
        {
            problems.Error(at, "holds a query or a fragment (\"?\" or \"#\"). Write scheme, host, port and path only.");
        }
        else if (!upstream.AllowLinkLocal && IPAddress.TryParse(url.Host, out var address) && GuardedAddresses.Contain(address))
        {
            problems.Error(at, "is a link-local address or a cloud's metadata service. If that is meant, set AllowLinkLocal to true.");
        }
    }

    private static void CheckApiKey(string path, string? key, Problems problems)
    {
        if (key is not null && string.IsNullOrWhiteSpace(key))
        {
            problems.Error(path, "is empty. Leave it out if the upstream needs none.");
        }
        else if (key is not null && !HeaderRules.IsVisible(key))
        {
            problems.Error(path, "holds something other than visible ASCII characters (a blank, a line break?).");
        }
    }

    private static void CheckClocks(string path, TimeoutOptions clocks, Problems problems)
    {
        ReadOnlySpan<(string Name, TimeSpan Value)> all =
        [
            ("Connect", clocks.Connect), ("FirstEvent", clocks.FirstEvent), ("Idle", clocks.Idle), ("Response", clocks.Response),
            ("Total", clocks.Total), ("Heartbeat", clocks.Heartbeat), ("StalledReader", clocks.StalledReader),
        ];
        foreach (var (name, value) in all)
        {
            CheckClock(Places.Member(path, name), value, problems);
        }
    }

    public static void CheckClock(string path, TimeSpan value, Problems problems)
    {
        if (value < TimeSpan.Zero || value > LongestClock || (value > TimeSpan.Zero && value < TimeSpan.FromMilliseconds(1)))
        {
            problems.Error(path, "is out of range: 1ms to 24h, or 0s to switch it off.");
        }
    }

    private static void CheckOperations(string path, IList<string> entries, Problems problems)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < entries.Count; i++)
        {
            var at = Places.Item(path, i);
            var entry = entries[i];
            var operation = entry.Length > 0 ? entry[1..] : "";
            if (entry.Length == 0 || entry[0] is not ('+' or '-'))
            {
                problems.Error(at, $"{Problems.Value} needs a sign: \"+embeddings\" adds, \"-embeddings\" takes away.", entry);
            }
            else if (!Operations.Contains(operation))
            {
                problems.Error(at, $"unknown operation {Problems.Value}. {NearestName.Advise(operation, Operations)}", entry);
            }
            else if (!seen.Add(operation))
            {
                problems.Error(at, $"{Problems.Value} names an operation for the second time.", entry);
            }
        }
    }

    // Read here and once more where it is used: the one who starts it is to see every problem at once, with its line.
    private static void CheckAuthorities(string path, UpstreamOptions upstream, Problems problems)
    {
        if (upstream.CaFile is not { } file)
        {
            return;
        }

        if (AuthorityFile.TryRead(file, out var problem) is null)
        {
            problems.Error(path, problem!);
        }
        else if (upstream.Url?.IsAbsoluteUri == true && upstream.Url.Scheme == Uri.UriSchemeHttp)
        {
            problems.Warning(path, "is not used: Url does not start with https://.");
        }
    }

    private static void CheckProxy(string path, string proxy, Problems problems)
    {
        const string example = "Write \"Environment\", \"None\" or an address such as \"http://proxy:3128\".";
        if (ProxyWords.Contains(proxy))
        {
            return;
        }

        if (ProxyWords.FirstOrDefault(w => string.Equals(w, proxy, StringComparison.OrdinalIgnoreCase)) is { } word)
        {
            problems.Error(path, $"{Problems.Value}: write \"{word}\".", proxy);
        }
        else if (!Uri.TryCreate(proxy, UriKind.Absolute, out var address) || !ProxySchemes.Contains(address.Scheme) || address.Host.Length == 0)
        {
            problems.Error(path, $"is not the address of a proxy. {example}");
        }
        else if (address.UserInfo.Length > 0)
        {
            problems.Error(path, "holds credentials; signing in at a proxy is not in this version.");
        }
        else if (address.PathAndQuery is not ("/" or "") || address.Fragment.Length > 0)
        {
            problems.Error(path, $"holds more than scheme, host and port. {example}");
        }
    }
}
