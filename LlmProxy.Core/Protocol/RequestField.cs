using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>One top-level member of a request, as offsets into its body.</summary>
/// <param name="Name">Its index in the <see cref="FieldNames"/>.</param>
/// <param name="IsExact">False for a twin: the name in another case.</param>
/// <param name="IsEscaped">Its name is written with escapes.</param>
/// <param name="Type">What its value is.</param>
/// <param name="NameStart">The opening quote of its name.</param>
/// <param name="ValueStart">The first byte of its value.</param>
/// <param name="ValueEnd">One past the last byte of its value.</param>
/// <param name="PreviousEnd">One past the value of the member before it, or -1 for the first.</param>
/// <param name="NextStart">Where the name of the member behind it begins, or -1 for the last.</param>
internal record struct RequestField(
    int Name, bool IsExact, bool IsEscaped, JsonTokenType Type, long NameStart, long ValueStart, long ValueEnd, long PreviousEnd, long NextStart);
