using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Records;

/// <summary>
/// Puts records on standard output. Called on the background writer's thread alone, so a pipe that nobody reads stops that
/// thread and nothing else.
/// </summary>
internal sealed class ConsoleRecordSink(Stream output, IRecordFormat format) : IRecordSink
{
    /// <summary>What is gathered before it is written, so that a burst costs few system calls and no large buffer stays.</summary>
    private const int Batch = 32 * 1024;

    /// <summary>The sink that fits what standard output is.</summary>
    public static ConsoleRecordSink Open() =>
        new(Console.OpenStandardOutput(), Console.IsOutputRedirected ? new RecordJson() : new RecordLine());

    public void Write(IReadOnlyList<ExchangeRecord> records)
    {
        try
        {
            for (var i = 0; i < records.Count; i++)
            {
                format.Add(records[i]);
                if (format.Length >= Batch)
                {
                    Flush();
                }
            }

            Flush();
        }
        finally
        {
            // After a failed write too: its lines must not come back with the next ones.
            format.Clear();
        }
    }

    private void Flush()
    {
        if (format.Length > 0)
        {
            output.Write(format.Written);
            output.Flush();
            format.Clear();
        }
    }
}
