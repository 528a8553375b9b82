namespace LlmProxy.Core.Admission;

/// <summary>What a limit counts.</summary>
internal enum Dimension
{
    /// <summary>Requests that began in any minute.</summary>
    Requests,

    /// <summary>Tokens in any minute.</summary>
    Tokens,

    /// <summary>Requests that run.</summary>
    Concurrent,

    /// <summary>Money in a calendar day.</summary>
    Day,

    /// <summary>Money in a calendar month.</summary>
    Month,

    /// <summary>Money since ever.</summary>
    Total,
}

/// <summary>A point in time.</summary>
/// <param name="Second">By a clock that nobody puts right.</param>
/// <param name="Ticks">By the clock on the wall, UTC.</param>
internal readonly record struct Instant(long Second, long Ticks)
{
    /// <summary>Of the wall's clock.</summary>
    public long Minute => Ticks / TimeSpan.TicksPerMinute;

    public Moment At(Calendar calendar) => new(Second, Minute, calendar.DayAt(Ticks));
}

/// <summary>When something is, in every way that a limit counts time.</summary>
/// <param name="Second">By a clock that nobody puts right.</param>
/// <param name="Minute">By the clock on the wall, on which replicas agree.</param>
/// <param name="Day">There where the limit holds.</param>
internal readonly record struct Moment(long Second, long Minute, CivilDay Day)
{
    /// <summary>The window that it is for a limit that has windows: rates have them where they are shared.</summary>
    public long WindowOf(Dimension dimension) => dimension switch
    {
        Dimension.Requests or Dimension.Tokens => Minute,
        Dimension.Day => Day.Number,
        Dimension.Month => Day.Month,
        _ => 0,
    };
}

/// <summary>What a request takes of limits.</summary>
/// <param name="Tokens">In and out together.</param>
/// <param name="Money">In <see cref="Admission.Money"/>'s units.</param>
internal readonly record struct Claim(long Tokens, long Money)
{
    public long Of(Dimension dimension) => dimension switch
    {
        Dimension.Requests or Dimension.Concurrent => 1,
        Dimension.Tokens => Tokens,
        _ => Money,
    };
}
