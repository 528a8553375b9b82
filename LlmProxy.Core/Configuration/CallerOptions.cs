namespace LlmProxy.Core.Configuration;

/// <summary>A group of keys. Its own limits and budget are one pool that all of its keys share.</summary>
public sealed class GroupOptions : AllowanceOptions
{
    /// <summary>What each of its keys may use, where the key itself says nothing else. A request must pass both. Default null: no more than the pool.</summary>
    public EachKeyOptions? EachKey { get; set; }

    /// <summary>Tells the people behind its keys apart, each with an allowance of their own. Default null: no.</summary>
    public EndUserOptions? EndUser { get; set; }

    /// <summary>Operations that its keys may use, for example <c>chat</c>. Null: all. Empty: none.</summary>
    public IList<string>? Endpoints { get; set; }

    /// <summary>Whose days and months its budgets count, as the time zone database names it. Default null: <see cref="LlmProxyOptions.TimeZone"/>.</summary>
    public string? TimeZone { get; set; }

    /// <summary>Models its keys may use: names, aliases or patterns of <see cref="LlmProxyOptions.Models"/>. Null: all. Empty: none.</summary>
    public IList<string>? Models { get; set; }

    /// <summary>Only upstreams that carry every one of these <see cref="UpstreamOptions.Tags"/> may see its keys' requests, failovers included. Default: any.</summary>
    public IList<string> UpstreamTags { get; } = [];
}

/// <summary>One API key of a caller. Exactly one of <see cref="Hash"/> and <see cref="Key"/> is given.</summary>
public sealed class KeyOptions : AllowanceOptions
{
    /// <summary>The group it belongs to. Default null: none.</summary>
    public string? Group { get; set; }

    /// <summary><c>sha256:</c> and 64 hexadecimal digits of the key's UTF-8 bytes; so that no secret stands in a file.</summary>
    public string? Hash { get; set; }

    /// <summary>The key itself, 1 to 200 visible ASCII characters; meant for <c>${NAME}</c>. Only its hash is kept.</summary>
    public string? Key { get; set; }

    /// <summary>Models it may use, within what its group allows. Null: all that the group may. Empty: none.</summary>
    public IList<string>? Models { get; set; }

    /// <summary>Tags that upstreams must carry, besides those that its group demands. Default: none.</summary>
    public IList<string> UpstreamTags { get; } = [];

    /// <summary>Operations it may use, within what its group allows. Null: all that the group may. Empty: none.</summary>
    public IList<string>? Endpoints { get; set; }

    /// <summary>From then on it is refused. A date without a time is the end of that day in its <see cref="TimeZone"/>. Default null: never.</summary>
    public DateTimeOffset? Expires { get; set; }

    /// <summary>The day that was written as <see cref="Expires"/>, until it is known in which time zone it ends.</summary>
    internal DateOnly? LastDay { get; set; }

    /// <summary>Refused for now. Default false.</summary>
    public bool Disabled { get; set; }

    /// <summary>Whose days and months its budgets count. Default null: its group's.</summary>
    public string? TimeZone { get; set; }

    /// <summary>Whatever its operator wants to know of it: an owner, a cost centre. In the admin API and in exports only.</summary>
    public IDictionary<string, string> Metadata { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Answers carry the upstream, its model name and the number of attempts in headers. Default false.</summary>
    public bool Debug { get; set; }
}

/// <summary>How the host app's user becomes a caller.</summary>
public sealed class HostIdentityOptions
{
    /// <summary>The claim that names the caller in records. Default <c>sub</c>, then the identity's name.</summary>
    public string IdClaim { get; set; } = "sub";

    /// <summary>The claim whose value is the name of a group in <see cref="LlmProxyOptions.Groups"/>. Default null: none is read.</summary>
    public string? GroupClaim { get; set; }

    /// <summary>The group of users whose claim names none. Default null: no group, all models.</summary>
    public string? DefaultGroup { get; set; }
}
