using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using LlmProxy.Host.Listening;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The executable's way from the server to the socket: every byte once and in order, and every block given back.</summary>
internal sealed class SocketOutputTests
{
    private const int Size = 3_000_000;

    private static readonly byte[] s_body = RandomNumberGenerator.GetBytes(Size);

    private readonly TestAuthority _authority = new();
    private X509Certificate2 _certificate = null!;
    private CountedBlocks _blocks = null!;
    private WebApplication _app = null!;
    private RequestDelegate _answer = null!;

    [SetUp]
    public async Task StartAsync()
    {
        _blocks = new CountedBlocks();
        _certificate = _authority.Issue("localhost");
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseSockets().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listener => listener.Use(SocketOutput.Use));
            kestrel.Listen(IPAddress.Loopback, 0, listener =>
            {
                listener.Use(SocketOutput.Use);
                listener.UseHttps(_certificate);
            });
        });
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>>(_blocks);
        _app = builder.Build();
        _app.Run(http => _answer(http));
        await _app.StartAsync();
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
        Assert.That((_blocks.Rented, _blocks.Ever > 0), Is.EqualTo((0, true)), "blocks that were not given back, and whether there were any");
    }

    [OneTimeTearDown]
    public void EndAuthority() => _authority.Dispose();

    [TestCase(1)]
    [TestCase(4096)]
    [TestCase(70_000)]
    [TestCase(1_000_000)]
    public async Task A_slow_client_gets_all_of_it_in_whatever_pieces_it_is_written_and_flushed(int mostBetweenFlushes)
    {
        var random = new Random(mostBetweenFlushes);
        int size = Math.Min(Size, mostBetweenFlushes * 2_000);
        _answer = async http =>
        {
            for (int at = 0; at < size;)
            {
                int end = Math.Min(size, at + random.Next(1, mostBetweenFlushes + 1));
                while (at < end)
                {
                    int length = Math.Min(end - at, random.Next(1, 9_000));
                    s_body.AsMemory(at, length).CopyTo(http.Response.BodyWriter.GetMemory(length));
                    http.Response.BodyWriter.Advance(length);
                    at += length;
                }

                await http.Response.BodyWriter.FlushAsync();
            }
        };
        await using RawClient client = await RawClient.ConnectAsync(EndPoint(0), receiveBuffer: 4096);
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync(RawClient.Request("GET", "/", default));
            RawResponse response = await client.ReadAsync();
            Assert.That(response.Body.Span.SequenceEqual(s_body.AsSpan(0, size)));
        }
    }

    [TestCase("1.1")]
    [TestCase("2.0")]
    public async Task With_encryption_all_of_it_arrives_too(string version)
    {
        _answer = async http => await http.Response.Body.WriteAsync(s_body);
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, seen, _, _) => seen?.GetCertHashString() == _certificate.GetCertHashString() } };
        using var client = new HttpClient(handler);
        for (int i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"https://{EndPoint(1)}/") { Version = new Version(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using HttpResponseMessage response = await client.SendAsync(request);
            Assert.That(await response.Content.ReadAsByteArrayAsync(), Is.EqualTo(s_body));
        }
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_flush_waits_for_who_reads_nothing_and_ends_when_that_one_has_gone(bool isAborted)
    {
        var pending = new TaskCompletionSource();
        var ended = new TaskCompletionSource<bool>();
        _answer = async http =>
        {
            while (true)
            {
                s_body.AsMemory(0, 40_000).CopyTo(http.Response.BodyWriter.GetMemory(40_000));
                http.Response.BodyWriter.Advance(40_000);
                Task flush = http.Response.BodyWriter.FlushAsync().AsTask();
                if (!flush.IsCompleted)
                {
                    pending.TrySetResult();
                    if (isAborted)
                    {
                        http.Abort();
                    }

                    await flush;
                    await Deadline.Until(() => http.RequestAborted.IsCancellationRequested);
                    ended.TrySetResult(true);
                    return;
                }

                await flush;
            }
        };
        RawClient client = await RawClient.ConnectAsync(EndPoint(0), receiveBuffer: 4096);
        await client.SendAsync(RawClient.Request("GET", "/", default));
        await Deadline.In(pending.Task);
        if (!isAborted)
        {
            Assert.That(ended.Task.IsCompleted, Is.False);
            client.Reset();
        }

        Assert.That(await Deadline.In(ended.Task), "the server knows");
        await client.DisposeAsync();
    }

    /// <summary>Without this a client whose answer lacks a piece would be sent the next.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public async Task A_connection_that_takes_no_more_is_ended(bool isEncrypted)
    {
        var ended = new TaskCompletionSource<bool>();
        _answer = async http =>
        {
            // The server sees nothing of it: what it receives goes on.
            http.Features.Get<IConnectionSocketFeature>()!.Socket.Shutdown(SocketShutdown.Send);
            http.Response.BodyWriter.Write(s_body.AsSpan(0, 10));
            await http.Response.BodyWriter.FlushAsync();
            await Deadline.Until(() => http.RequestAborted.IsCancellationRequested);
            ended.SetResult(true);
        };
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(EndPoint(isEncrypted ? 1 : 0));
        await using Stream plain = new NetworkStream(socket);
        await using var tls = new SslStream(plain, leaveInnerStreamOpen: false, (_, seen, _, _) => seen?.GetCertHashString() == _certificate.GetCertHashString());
        if (isEncrypted)
        {
            await tls.AuthenticateAsClientAsync("localhost");
        }

        await (isEncrypted ? tls : plain).WriteAsync(RawClient.Request("GET", "/", default));
        Assert.That(await Deadline.In(ended.Task));
        Assert.That(await Deadline.In(EndAsync(isEncrypted ? tls : plain)), Is.Zero);
    }

    /// <returns>Bytes until the end.</returns>
    private static async Task<int> EndAsync(Stream stream)
    {
        byte[] rest = new byte[1000];
        int count = 0;
        try
        {
            while (await stream.ReadAsync(rest) is > 0 and int read)
            {
                count += read;
            }
        }
        catch (IOException)
        {
            // Reset.
        }

        return count;
    }

    private IPEndPoint EndPoint(int listener) => new(IPAddress.Loopback, new Uri(_app.Urls.ElementAt(listener)).Port);

    /// <summary>Pools that say how many of their blocks somebody has.</summary>
    private sealed class CountedBlocks : MemoryPool<byte>, IMemoryPoolFactory<byte>
    {
        private int _rented;

        public int Rented => Volatile.Read(ref _rented);

        public int Ever { get; private set; }

        public override int MaxBufferSize => 4096;

        public MemoryPool<byte> Create(MemoryPoolOptions? options) => this;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            Interlocked.Increment(ref _rented);
            Ever++;
            return new Block(this);
        }

        protected override void Dispose(bool disposing)
        {
            // The server's connections outlive the pool by a moment.
        }

        private sealed class Block(CountedBlocks pool) : IMemoryOwner<byte>
        {
            private byte[]? _array = new byte[4096];

            public Memory<byte> Memory => _array ?? throw new ObjectDisposedException(nameof(Block));

            public void Dispose()
            {
                // What somebody still reads from shows.
                Interlocked.Exchange(ref _array, null).AsSpan().Fill(0xEE);
                Interlocked.Decrement(ref pool._rented);
            }
        }
    }
}
