using LlmProxy.Core.Admission;

namespace LlmProxy.Core;

/// <summary>A limit and how it stands now, on this instance.</summary>
/// <param name="Meter">Whose: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
/// <param name="Of">Of what: <c>requests</c>, <c>tokens</c>, <c>concurrent</c> or <c>usd</c>.</param>
/// <param name="Window">In which time: <c>minute</c>, <c>now</c>, <c>day</c>, <c>month</c> or <c>total</c>.</param>
/// <param name="Limit">All of it.</param>
/// <param name="Used">What is used, and what is set aside for requests that run.</param>
/// <param name="Left">What is not.</param>
/// <param name="Resets">When all of it is there again, UTC; null: when requests end, never, or it is all there.</param>
public sealed record LlmProxyLimit(string Meter, string Of, string Window, decimal Limit, decimal Used, decimal Left, DateTimeOffset? Resets);

/// <summary>Limits in force and what is left of them: for an admin API or an app's own pages. Does not check who asks. Resolve it from DI.</summary>
public sealed class LlmProxyLimits
{
    private readonly LlmProxySnapshots _snapshots;
    private readonly LimitStates _states;

    internal LlmProxyLimits(LlmProxySnapshots snapshots, LimitStates states) => (_snapshots, _states) = (snapshots, states);

    /// <summary>What a key has to pass: its own limits, then its group's.</summary>
    /// <param name="idOrName">As for <see cref="LlmProxyKeys.Find"/>; empty for an unknown one.</param>
    public IReadOnlyList<LlmProxyLimit> OfKey(string idOrName)
    {
        ArgumentNullException.ThrowIfNull(idOrName);
        return _snapshots.Current.Keys.FindById(idOrName) is { } caller ? [.. _states.Of(caller).Select(Of)] : [];
    }

    /// <summary>What all keys of a group share.</summary>
    /// <param name="group">Its name; empty for an unknown one.</param>
    public IReadOnlyList<LlmProxyLimit> OfGroup(string group)
    {
        ArgumentNullException.ThrowIfNull(group);
        return _snapshots.Current.Keys.FindGroup(group) is { } found ? [.. _states.OfGroup(found).Select(Of)] : [];
    }

    /// <summary>What one of the people behind the keys of a group may use.</summary>
    /// <param name="group">The group's name; empty for an unknown one.</param>
    /// <param name="user">As the header names the user.</param>
    public IReadOnlyList<LlmProxyLimit> OfEndUser(string group, string user)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(user);
        return _snapshots.Current.Keys.FindGroup(group) is { } found ? [.. _states.OfUser(group, found.Options.EndUser, found.Zone, user).Select(Of)] : [];
    }

    internal static LlmProxyLimit Of(LimitState state)
    {
        var (of, window) = state.Dimension switch
        {
            Dimension.Requests => ("requests", "minute"),
            Dimension.Tokens => ("tokens", "minute"),
            Dimension.Concurrent => ("concurrent", "now"),
            Dimension.Day => ("usd", "day"),
            Dimension.Month => ("usd", "month"),
            _ => ("usd", "total"),
        };
        return new LlmProxyLimit(state.Meter, of, window, state.Limit, state.Used, state.Left, state.Resets);
    }
}
