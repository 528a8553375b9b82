using System.Diagnostics;
using System.Globalization;
using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What a stream costs the executable, as its own process, when thousands of them wait.</summary>
[TestFixture]
[Category("Large")]
[NonParallelizable]
public sealed class IdleStreamTests
{
    private const int Streams = 4000;
    private const int AtOnce = 50;
    private const int BodyLength = 60 * 1024;

    /// <summary>Generous: it was 28 KiB when this was written, and what the collector keeps differs from machine to machine.</summary>
    private const int MostPerStream = 34 * 1024;

    private static readonly byte[] s_small = Request("");
    private static readonly byte[] s_request = Request(",\"user\":\"" + new string('x', BodyLength) + "\"");

    private readonly List<RawClient> _clients = [];
    private IdleUpstream _upstream = null!;
    private ProcessProxy _proxy = null!;

    private static byte[] Request(string more) => RawClient.Request(
        "POST",
        ProxyFixture.ChatPath,
        Encoding.UTF8.GetBytes(Chat.Request(stream: true, more: more)),
        "Authorization: Bearer " + Canary.ClientKey,
        "Content-Type: application/json");

    private string Process => _proxy.ProcessId.ToString(CultureInfo.InvariantCulture);

    [SetUp]
    public async Task StartAsync()
    {
        if (ProcessProxy.Executable is not { } executable)
        {
            Assert.Ignore("Memory is measured of the executable: name it by LLMPROXY_EXECUTABLE.");
            return;
        }

        _upstream = new IdleUpstream();
        _proxy = await ProcessProxy.StartAsync(executable, new ProxySetup(_upstream.Url));
    }

    [TearDown]
    public async Task StopAsync()
    {
        _clients.ForEach(client => client.Reset());
        _clients.Clear();
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
            _upstream.Dispose();
        }
    }

    [Test]
    [Category("L02")]
    public async Task L02_four_thousand_idle_streams_cost_little_each_and_are_all_released_at_once()
    {
        // What the process needs once, whatever it serves, is not a stream's.
        await OpenAsync(200);
        await ReleaseAsync();
        long memoryBefore = Memory();
        int filesBefore = Files();

        await OpenAsync(Streams);
        Assert.That(_upstream.Open, Is.EqualTo(Streams));

        // What the burst itself took is given back once it is over.
        await Deadline.TryUntil(() => (Memory() - memoryBefore) / Streams < MostPerStream, TimeSpan.FromSeconds(15));
        long perStream = (Memory() - memoryBefore) / Streams;
        int files = Files() - filesBefore;
        TimeSpan released = await ReleaseAsync();
        bool hasClosed = await Deadline.TryUntil(() => Files() <= filesBefore + 8, TimeSpan.FromSeconds(2));
        await TestContext.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{Streams} streams: {perStream / 1024.0:0.0} KiB each, {files} more open files; all released after {released.TotalSeconds:0.00} s, {Files() - filesBefore} files left"));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(perStream, Is.LessThan(MostPerStream));
            Assert.That(files, Is.InRange(2 * Streams, (2 * Streams) + 64), "two connections each and nothing else");
            Assert.That(released, Is.LessThan(TimeSpan.FromSeconds(2)));
            Assert.That(hasClosed, "every file is closed");
            Assert.That(_proxy.Records.Count(r => r.End == "client_disconnect"), Is.EqualTo(Streams + 200));
            Assert.That(await _proxy.StopAsync(), Is.Null);
            Assert.That(_proxy.ErrorLines, Is.Empty);
        }
    }

    [Test]
    [Category("L01")]
    public async Task L01_nine_thousand_idle_streams_are_all_alive_and_a_burst_reaches_every_one_within_a_second()
    {
        // Two open files of this process for each, as of the proxy.
        const int Most = 9000;
        int count = Math.Min(Most, (FileLimit() - 1000) / 2);
        if (count < Streams)
        {
            Assert.Ignore($"The limit of open files has room for {count} streams only.");
        }

        await OpenAsync(count, s_small);
        Assert.That(_upstream.Open, Is.EqualTo(count));

        // The best of three: this machine has the clients and the upstream to serve as well.
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            string word = $"burst-{i}";
            Task[] read = [.. _clients.Select(client => client.LastResponse!.ReadUntilAsync(word))];
            long started = Stopwatch.GetTimestamp();
            await _upstream.BurstAsync(Chat.Delta(word));
            await Deadline.In(Task.WhenAll(read), "the burst at every client");
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            best = took < best ? took : best;
        }

        await TestContext.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{count} streams: a burst to all in {best.TotalSeconds:0.00} s"));
        TimeSpan released = await ReleaseAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(best, Is.LessThan(TimeSpan.FromSeconds(1)));
            Assert.That(released, Is.LessThan(TimeSpan.FromSeconds(2)));
            Assert.That(_proxy.Records.Select(r => r.End), Has.Exactly(count).Items.And.All.EqualTo("client_disconnect"));
            Assert.That(await _proxy.StopAsync(), Is.Null);
            Assert.That(_proxy.ErrorLines, Is.Empty);
        }
    }

    private static int FileLimit() => int.Parse(
        File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[3],
        CultureInfo.InvariantCulture);

    private Task OpenAsync(int count) => OpenAsync(count, s_request);

    private async Task OpenAsync(int count, byte[] request)
    {
        using var slots = new SemaphoreSlim(AtOnce);
        RawClient[] opened = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => OpenAsync(slots, request)));
        _clients.AddRange(opened);
    }

    private async Task<RawClient> OpenAsync(SemaphoreSlim slots, byte[] request)
    {
        await slots.WaitAsync();
        try
        {
            RawClient client = await RawClient.ConnectAsync(((IProxyUnderTest)_proxy).EndPoint);
            await client.SendAsync(request);
            RawResponse response = await client.ReadHeadAsync();
            Assert.That(response.Status, Is.EqualTo(200));
            await response.ReadUntilAsync("Hel");
            return client;
        }
        finally
        {
            slots.Release();
        }
    }

    /// <summary>Cuts all clients off; until every connection upstream is closed and every request has its record.</summary>
    private async Task<TimeSpan> ReleaseAsync()
    {
        int records = _proxy.Records.Count + _clients.Count;
        long started = Stopwatch.GetTimestamp();
        _clients.ForEach(client => client.Reset());
        _clients.Clear();
        await Deadline.Until(() => _upstream.Open == 0, what: "every connection upstream is closed");
        TimeSpan released = Stopwatch.GetElapsedTime(started);
        await Deadline.Until(() => _proxy.Records.Count >= records, what: "a record of every stream");
        return released;
    }

    /// <summary>Resident bytes of the executable.</summary>
    private long Memory()
    {
        string line = File.ReadLines($"/proc/{Process}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    private int Files() => Directory.EnumerateFileSystemEntries($"/proc/{Process}/fd").Count();
}
