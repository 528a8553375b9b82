namespace LlmProxy.Core.Accounting;

/// <summary>
/// Receives one record per ended request, on a background writer's thread: no request waits for it. Register any number in
/// DI. What it throws is logged and counted, nothing more.
/// </summary>
public interface IRecordSink
{
    /// <summary>Takes some records, in the order in which the requests ended.</summary>
    /// <param name="records">To be read during the call: the list is used again afterwards. A record itself may be kept.</param>
    void Write(IReadOnlyList<ExchangeRecord> records);
}
