using System.Globalization;
using System.Text;
using LlmProxy.Core.Accounting;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Records;

/// <summary>Writes records as readable lines for a terminal.</summary>
internal sealed class RecordLine : IRecordFormat
{
    private readonly StringBuilder _line = new();
    private byte[] _bytes = new byte[4096];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Add(ExchangeRecord record)
    {
        _line.Clear();
        _line.Append(CultureInfo.InvariantCulture, $"{record.Started.ToLocalTime():HH:mm:ss}  {record.Status}  {record.Operation ?? "-",-11}  {Models(record)}");
        _line.Append(CultureInfo.InvariantCulture, $"  {record.Duration.TotalMilliseconds:0} ms");
        if (record.Streamed && record.FirstEvent is { } first)
        {
            _line.Append(CultureInfo.InvariantCulture, $", first event {first.TotalMilliseconds:0} ms");
        }

        if (record.InputTokens is not null || record.OutputTokens is not null)
        {
            _line.Append(CultureInfo.InvariantCulture, $"  {record.InputTokens ?? 0} in, {record.OutputTokens ?? 0} out");
        }

        if (record.Caller is not null)
        {
            _line.Append("  ").Append(record.Caller);
        }

        if (record.End != "ok")
        {
            _line.Append("  ").Append(record.End).Append(record.Blame is null ? "" : $" ({record.Blame})");
        }

        foreach (var attempt in record.Tried)
        {
            if (attempt.End != "ok")
            {
                _line.Append(CultureInfo.InvariantCulture, $"  [{attempt.Upstream} {attempt.End} {attempt.Duration.TotalMilliseconds:0} ms]");
            }
        }

        _line.Append("  ").Append(record.Id);
        Append(Visible.Line(_line.ToString()) + "\n");
    }

    public void Clear() => Length = 0;

    private static string Models(ExchangeRecord record) => (record.Model, record.Upstream) switch
    {
        (null, _) => "-",
        (_, null) => record.Model,
        _ => $"{record.Model} → {record.Upstream}/{record.UpstreamModel}",
    };

    private void Append(string text)
    {
        var needed = Length + Encoding.UTF8.GetMaxByteCount(text.Length);
        if (needed > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(needed, 2 * _bytes.Length));
        }

        Length += Encoding.UTF8.GetBytes(text, _bytes.AsSpan(Length));
    }
}
