using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Relaying;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Streams of every shape in two pieces over sockets: a sample of what is cut everywhere below them.</summary>
[Category("U20")]
public sealed class SocketSplitTests : ProxyFixture
{
    private const int Cuts = 200;

    [Test]
    public async Task U20_a_stream_of_any_shape_is_the_same_in_two_packets()
    {
        var random = new Random(20261122);
        (Recording Stream, int Cut)[] cases =
        [
            .. Enumerable.Range(0, Cuts).Select(i => Recording.Shapes[i % Recording.Shapes.Count])
                .Select(stream => (stream, random.Next(3) == 0 ? random.Next(1, stream.Bytes.Length) : NearAny(stream, random))),
        ];
        await RunAsync(cases);
    }

    [Test]
    public async Task U20_data_on_several_lines_passes_as_it_came_in_two_packets()
    {
        string[] pretty = [.. Chat.Words("é", " 🦓").Select(word => "data: " + word.Replace("\"choices\"", "\ndata: \"choices\"", StringComparison.Ordinal) + "\n\n")];
        string text = string.Concat(pretty) + Sse.Done;
        var stream = new Recording("several lines", text, text);
        await RunAsync([.. Enumerable.Range(1, 40).Select(i => (stream, i * (stream.Bytes.Length - 1) / 40))], ResponseModelName.Upstream);
    }

    private static int NearAny(Recording stream, Random random)
    {
        int[] places = [.. stream.NearPlaces(2)];
        return places[random.Next(places.Length)];
    }

    private async Task RunAsync((Recording Stream, int Cut)[] cases, ResponseModelName model = ResponseModelName.Asked)
    {
        (Recording Stream, int Cut) now = cases[0];
        Setup.Mini.ResponseModel = model;
        Upstream.Otherwise(async exchange =>
        {
            byte[] sent = now.Stream.Bytes;
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(sent.AsMemory(0, now.Cut));
            await exchange.TakenAsync();
            await exchange.ChunkAsync(sent.AsMemory(now.Cut));
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawClient client = await ConnectAsync();
        byte[] request = RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request(stream: true)), Authorization);
        foreach ((Recording Stream, int Cut) one in cases)
        {
            now = one;
            await client.SendAsync(request);
            RawResponse response = await client.ReadAsync();
            Assert.That((response.End, response.Text), Is.EqualTo((BodyEnd.Whole, one.Stream.Expected)), $"{one.Stream}, cut at {one.Cut}");
        }

        ExpectUpstreamRequests(cases.Length);
    }
}
