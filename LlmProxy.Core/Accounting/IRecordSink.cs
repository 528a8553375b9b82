namespace LlmProxy.Core.Accounting;

/// <summary>
/// Receives one record per ended request, on a background writer's thread: no request waits for it. Register any number in
/// DI. What it throws is logged and counted, nothing more.
/// </summary>
public interface IRecordSink
{
    /// <summary>Takes some records, in the order in which the requests ended.</summary>
    void Write(IReadOnlyList<ExchangeRecord> records);
}
