using System.Collections.Concurrent;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Tests.Support;

/// <summary>A sink that keeps records as they came.</summary>
public sealed class KeptRecords : IRecordSink
{
    private readonly ConcurrentQueue<ExchangeRecord> _records = new();

    /// <summary>Those so far, in order.</summary>
    public IReadOnlyList<ExchangeRecord> All => [.. _records];

    public void Write(IReadOnlyList<ExchangeRecord> records)
    {
        foreach (ExchangeRecord record in records)
        {
            _records.Enqueue(record);
        }
    }
}
