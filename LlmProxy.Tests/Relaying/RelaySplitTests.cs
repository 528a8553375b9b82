using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

/// <summary>Wherever an upstream's bytes are cut, the client gets the same, with the model's name put back.</summary>
public sealed class RelaySplitTests
{
    private const int Seeded = 2000;

    private readonly CutRelay _relay = new();

    public static IReadOnlyList<Recording> Shapes => Recording.Shapes;

    [OneTimeTearDown]
    public void Dispose() => _relay.Dispose();

    [TestCaseSource(nameof(Shapes))]
    [Category("U20")]
    public async Task U20_a_stream_is_the_same_cut_at_every_offset(Recording stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        byte[] sent = stream.Bytes;
        Assert.That(sent, Has.Length.LessThan(8192));
        await AssertSameAsync(stream, Enumerable.Range(0, sent.Length));
    }

    [TestCaseSource(nameof(Shapes))]
    [Category("U23")]
    public async Task U23_a_stream_of_which_every_byte_comes_alone_is_the_same(Recording stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        byte[] sent = stream.Bytes;
        (ProxyError? error, byte[] output) = await _relay.RunAsync(sent, [.. Enumerable.Range(1, sent.Length - 1)]);
        Assert.That(error, Is.Null);
        Assert.That(Encoding.UTF8.GetString(output), Is.EqualTo(stream.Expected));
    }

    [TestCase(70_000)]
    [TestCase(1 << 20)]
    [Category("U23")]
    public async Task U23_a_large_event_is_the_same_cut_near_every_place_that_matters_and_at_random(int size)
    {
        var stream = Recording.WithEventOf(size);
        var random = new Random(20261122);
        int length = stream.Bytes.Length;
        await AssertSameAsync(stream, [.. stream.NearPlaces(64), .. Enumerable.Range(0, Seeded).Select(_ => random.Next(1, length))]);
    }

    private async Task AssertSameAsync(Recording stream, IEnumerable<int> cuts)
    {
        byte[] sent = stream.Bytes;
        byte[] expected = Encoding.UTF8.GetBytes(stream.Expected);
        foreach (int cut in cuts)
        {
            (ProxyError? error, byte[] output) = await _relay.RunAsync(sent, cut);
            if (error is not null || !output.AsSpan().SequenceEqual(expected))
            {
                int differs = output.AsSpan().CommonPrefixLength(expected);
                Assert.Fail($"{stream}, cut at {cut}: {error}, {output.Length} of {expected.Length} bytes, different from {differs} on: "
                    + Encoding.UTF8.GetString(output.AsSpan(differs, Math.Min(80, output.Length - differs))));
            }
        }
    }
}
