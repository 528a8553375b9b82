using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>A stream read to its end by the inspector of a dialect.</summary>
internal sealed class WatchedStream
{
    private readonly StringBuilder _output = new();
    private readonly List<StreamEventKind> _kinds = [];

    private WatchedStream(StreamInspector inspector) => Inspector = inspector;

    public static StreamExpectation Expectation { get; } = new(1, false, default, false, new Redactor());

    public StreamInspector Inspector { get; }

    /// <summary>What each event was taken for.</summary>
    public IReadOnlyList<StreamEventKind> Kinds => _kinds;

    /// <summary>The bytes with what the inspector wants replaced.</summary>
    public string Output => _output.ToString();

    /// <summary>Reads it once in one piece, and asserts that it is the same when cut in two anywhere.</summary>
    public static WatchedStream Read(Dialect dialect, string stream, string? askedModel = null)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(stream);
        StreamExpectation expectation = Expectation with { AskedModel = askedModel is null ? default : Encoding.UTF8.GetBytes($"\"{askedModel}\"") };
        WatchedStream whole = ReadIn(dialect, expectation, bytes, bytes.Length);
        for (int cut = 1; cut < bytes.Length; cut++)
        {
            WatchedStream inTwo = ReadIn(dialect, expectation, bytes, cut);
            Assert.That(inTwo.State, Is.EqualTo(whole.State), $"cut at {cut}");
        }

        return whole;
    }

    private string State =>
        $"{string.Join(' ', _kinds)}|{Inspector.Usage}|{Inspector.Failure}|{Inspector.IsFinished}|{Inspector.StoredId}|{Encoding.UTF8.GetString(Inspector.Heartbeat)}|{Output}";

    private static WatchedStream ReadIn(Dialect dialect, in StreamExpectation expectation, byte[] bytes, int cut)
    {
        var watched = new WatchedStream(dialect.CreateInspector(expectation));
        var scanner = new SseScanner();
        int start = 0;
        foreach (int end in (int[])[cut, bytes.Length])
        {
            while (scanner.TryRead(bytes.AsSpan(start, end - start), out SseEvent found))
            {
                watched.Take(bytes.AsSpan(start, found.Length), found);
                start += found.Length;
            }
        }

        return watched;
    }

    private void Take(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        _kinds.Add(Inspector.Inspect(raw, found));
        int position = 0;
        for (int i = 0; i < Inspector.Replacements; i++)
        {
            Replacement replacement = Inspector.ReplacementAt(i);
            _output.Append(Encoding.UTF8.GetString(raw[position..replacement.Range.Start])).Append(Encoding.UTF8.GetString(replacement.With.Span));
            position = replacement.Range.End;
        }

        _output.Append(Encoding.UTF8.GetString(raw[position..]));
    }
}
