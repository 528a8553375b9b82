using System.Buffers;
using System.IO.Pipelines;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Tests.Relaying;

/// <summary>
/// A stream's way from the upstream's body to the client's, up to the commit and after it, without sockets: so that it can be
/// cut anywhere, thousands of times. The model's name is put back.
/// </summary>
internal sealed class CutRelay : IRelayBooks, IDisposable
{
    public const string Asked = "gpt-4o-mini";

    private static readonly Endpoint s_chat = EndpointTable.Rows.First(row => row.Name == "chat");

    private readonly ClockWheel _wheel = new(TimeProvider.System);
    private readonly StreamExpectation _expectation = new(1, false, Target.Encode(Asked), false, new Redactor());
    private readonly RequestFields _fields = RequestFields.Read(
        new ReadOnlySequence<byte>("{\"model\":\"gpt-4o-mini\",\"stream\":true}"u8.ToArray()), new FieldNames([])).Value!;

    public void Dispose() => _wheel.Dispose();

    /// <summary>What the client gets of a stream whose bytes come in pieces.</summary>
    /// <param name="stream">All of it.</param>
    /// <param name="cuts">Where a piece ends, ascending.</param>
    public async Task<(ProxyError? Error, byte[] Output)> RunAsync(byte[] stream, params int[] cuts)
    {
        using var upstream = new CutStream(stream, cuts);
        using var response = new HttpResponseMessage();
        var request = new ForwardRequest(s_chat, "", "", default, _fields, null!, new HeaderDictionary(), null, null);
        Result<UpstreamAnswer> committed = await new FirstEvents(request, _expectation, 16 << 20).ReadAsync(response, upstream, Usage.None, default, CancellationToken.None);
        if (!committed.TryGet(out UpstreamAnswer? answer, out ProxyError? error))
        {
            return (error, []);
        }

        using (answer)
        {
            var body = new OverwritingBody();
            var http = new DefaultHttpContext();
            http.Features.Set<IHttpResponseBodyFeature>(body);
            using var clock = new ExchangeClock(_wheel, CancellationToken.None);
            var client = new ClientStream(http, clock);
            await client.BeginAsync();
            var plan = new EventRelayPlan(Dialect.Chat.CreateInspector(_expectation), TimeSpan.FromMinutes(5), 16 << 20, "01", null, null, this);
            RelayOutcome outcome = await new EventRelay(client, clock, new QuietWait(), TimeProvider.System, plan).RunAsync(answer);
            return (outcome.Error, body.Written);
        }
    }

    void IRelayBooks.Complete(RelayOutcome outcome)
    {
    }

    /// <summary>Gives what is there, up to the next cut, as a socket does.</summary>
    private sealed class CutStream(byte[] bytes, int[] cuts) : MemoryStream(bytes, writable: false)
    {
        private int _next;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (_next < cuts.Length && cuts[_next] <= Position)
            {
                _next++;
            }

            int end = _next < cuts.Length ? cuts[_next] : (int)Length;
            return new ValueTask<int>(Read(buffer.Span[..(int)Math.Min(buffer.Length, end - Position)]));
        }
    }

    /// <summary>A response whose blocks are written over as soon as they were taken, as the server does.</summary>
    private sealed class OverwritingBody : PipeWriter, IHttpResponseBodyFeature
    {
        private readonly byte[] _block = new byte[4096];
        private readonly MemoryStream _written = new();

        public byte[] Written => _written.ToArray();

        public Stream Stream => Stream.Null;

        public PipeWriter Writer => this;

        public override Memory<byte> GetMemory(int sizeHint = 0) => _block;

        public override Span<byte> GetSpan(int sizeHint = 0) => _block;

        public override void Advance(int bytes)
        {
            _written.Write(_block, 0, bytes);
            _block.AsSpan().Fill((byte)'!');
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => new(new FlushResult(false, false));

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task CompleteAsync() => Task.CompletedTask;

        public void DisableBuffering()
        {
        }
    }
}
