namespace LlmProxy.Host.Stores;

/// <summary>Where the columns of a row go, one after another. Each database keeps them in its own way.</summary>
internal interface IColumnTarget
{
    /// <param name="text">As it came: the target sees to it that its database can hold it.</param>
    void Text(string? text);

    void Number(long? number);

    /// <summary>A moment, to the microsecond.</summary>
    void Time(DateTimeOffset moment);

    /// <summary>US dollars.</summary>
    void Money(decimal? dollars);

    void Flag(bool value);
}
