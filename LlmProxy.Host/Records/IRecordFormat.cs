using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Records;

/// <summary>How records look on standard output: lines for people, or JSON for programs. Gathers some in a buffer that is used again.</summary>
internal interface IRecordFormat
{
    int Length { get; }

    ReadOnlySpan<byte> Written { get; }

    void Add(ExchangeRecord record);

    void Clear();
}
