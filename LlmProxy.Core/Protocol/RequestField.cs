using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>One top-level member of a request, as offsets into its body. They are kept as numbers of 32 bits: no limit allows a longer one.</summary>
internal record struct RequestField
{
    private readonly ushort _name;
    private readonly byte _type;
    private readonly uint _nameStart;
    private readonly uint _valueStart;
    private readonly uint _previousEnd;
    private uint _valueEnd;
    private uint _nextStart;

    /// <param name="name">Its index in the <see cref="FieldNames"/>.</param>
    /// <param name="isExact">False for a twin: the name in another case.</param>
    /// <param name="isEscaped">Its name is written with escapes.</param>
    /// <param name="type">What its value is.</param>
    /// <param name="nameStart">The opening quote of its name.</param>
    /// <param name="valueStart">The first byte of its value.</param>
    /// <param name="previousEnd">One past the value of the member before it, or 0 for the first.</param>
    public RequestField(int name, bool isExact, bool isEscaped, JsonTokenType type, long nameStart, long valueStart, long previousEnd)
    {
        (_name, IsExact, IsEscaped, _type) = ((ushort)name, isExact, isEscaped, (byte)type);
        (_nameStart, _valueStart, _previousEnd) = ((uint)nameStart, (uint)valueStart, (uint)previousEnd);
    }

    public readonly int Name => _name;

    public bool IsExact { get; }

    public bool IsEscaped { get; }

    public readonly JsonTokenType Type => (JsonTokenType)_type;

    public readonly long NameStart => _nameStart;

    public readonly long ValueStart => _valueStart;

    /// <summary>One past the last byte of its value.</summary>
    public long ValueEnd
    {
        readonly get => _valueEnd;
        set => _valueEnd = (uint)value;
    }

    /// <summary>One past the value of the member before it, or 0 for the first.</summary>
    public readonly long PreviousEnd => _previousEnd;

    /// <summary>Where the name of the member behind it begins, or 0 for the last.</summary>
    public long NextStart
    {
        readonly get => _nextStart;
        set => _nextStart = (uint)value;
    }
}
