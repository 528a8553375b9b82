using System.ClientModel;
using System.ClientModel.Primitives;
using NUnit.Framework;
using OpenAI;

namespace LlmProxy.Tests.Support;

/// <summary>
/// A proxy between a scripted upstream and raw clients, in this process or as the executable. After every test the
/// invariants of <see cref="Invariants"/> are asserted here, not by the tests.
/// </summary>
[TestFixture]
[Category("EndToEnd")]
[NonParallelizable]
public abstract class ProxyFixture
{
    public const string ChatPath = "/v1/chat/completions";

    private readonly List<ScriptedUpstream> _upstreams = [];
    private readonly List<RawClient> _clients = [];
    private readonly List<IDisposable> _owned = [];
    private Evidence _evidence = new();
    private IProxyUnderTest? _proxy;
    private int? _expectedUpstreamRequests;
    private int? _expectedRecords;
    private string? _errorsAllowedBecause;
    private int _socketsBefore;

    /// <summary>The upstream <c>main</c>.</summary>
    protected ScriptedUpstream Upstream { get; private set; } = null!;

    /// <summary>What the proxy will be started with.</summary>
    protected ProxySetup Setup { get; private set; } = null!;

    protected IProxyUnderTest Proxy => _proxy ?? throw new InvalidOperationException("The proxy was not started.");

    /// <summary>False where the test was skipped before.</summary>
    protected bool IsStarted => _proxy is not null;

    /// <summary>The proxy as an app in this process.</summary>
    protected InProcessProxy App => (InProcessProxy)Proxy;

    protected static string Authorization => "Authorization: Bearer " + Canary.ClientKey;

    [SetUp]
    public void PrepareUpstream()
    {
        _socketsBefore = SocketQueues.Open();
        _proxy = null;
        _expectedUpstreamRequests = null;
        _expectedRecords = null;
        _errorsAllowedBecause = null;
        _evidence = new Evidence();
        Upstream = NewUpstream();
        Setup = new ProxySetup(Upstream.Url);
    }

    [TearDown]
    public async Task AssertInvariantsAsync()
    {
        try
        {
            await AssertWhileRunningAsync();
        }
        finally
        {
            await DisposeServersAsync();
            RemoveFiles();
        }

        await Invariants.AssertSocketsAsync(_socketsBefore);
    }

    /// <summary>Removes what a proxy has left, once it has ended.</summary>
    protected virtual void RemoveFiles()
    {
    }

    /// <summary>Starts the proxy as <see cref="Setup"/> says; the test is skipped where that cannot be.</summary>
    protected async Task StartAsync()
    {
        if (ProcessProxy.Executable is { } executable)
        {
            if (Setup.IsInProcessOnly)
            {
                InProcessOnly("it changes the app from inside: its clock, services or pipeline");
            }

            _proxy = await ProcessProxy.StartAsync(executable, Setup);
        }
        else
        {
            _proxy = await InProcessProxy.StartAsync(Setup);
        }
    }

    /// <summary>Skips the test when it runs against the executable.</summary>
    protected static void InProcessOnly(string because)
    {
        if (ProcessProxy.Executable is not null)
        {
            Assert.Ignore($"Not against the executable: {because}.");
        }
    }

    /// <summary>Writes <see cref="Setup"/> as it is now in the place of the file that the proxy was started from, and waits until it is in force.</summary>
    protected async Task ReloadAsync(long generation)
    {
        string next = Proxy.ConfigurationPath + ".next";
        await File.WriteAllTextAsync(next, ConfigurationFile.Write(Setup.Options));
        File.Move(next, Proxy.ConfigurationPath, overwrite: true);
        await Proxy.AskToReloadAsync();
        using CancellationTokenSource deadline = Deadline.Source();
        while (await Proxy.GenerationAsync() != generation)
        {
            await Task.Delay(5, deadline.Token);
        }
    }

    /// <summary>Says how many requests the upstreams together must have seen. Default: one for each record with an attempt.</summary>
    protected void ExpectUpstreamRequests(int count) => _expectedUpstreamRequests = count;

    /// <summary>Says how many records there must be, where the app itself answers some requests under the prefix. Default: one for each.</summary>
    protected void ExpectRecords(int count) => _expectedRecords = count;

    /// <summary>Error logs do not fail the test.</summary>
    protected void AllowErrorLogs(string because) => _errorsAllowedBecause = because;

    /// <summary>A further upstream, disposed after the test.</summary>
    protected ScriptedUpstream NewUpstream(string address = "127.0.0.1")
    {
        var upstream = new ScriptedUpstream(address);
        _upstreams.Add(upstream);
        return upstream;
    }

    /// <summary>Disposes it after the test, before open sockets are counted.</summary>
    protected T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    protected async Task<RawClient> ConnectAsync(int? receiveBuffer = null)
    {
        RawClient client = await RawClient.ConnectAsync(Proxy.EndPoint, receiveBuffer);
        lock (_clients)
        {
            // A test may connect many at once.
            _evidence.Watch(client);
            _clients.Add(client);
        }

        return client;
    }

    /// <summary>Sends a whole request on a new connection.</summary>
    protected async Task<RawClient> SendAsync(ReadOnlyMemory<byte> request)
    {
        RawClient client = await ConnectAsync();
        await client.SendAsync(request);
        return client;
    }

    /// <summary>Sends JSON with the tester's key on a new connection.</summary>
    protected Task<RawClient> SendJsonAsync(string body, string path = ChatPath, params string[] fields) =>
        SendAsync(RawClient.Request("POST", path, System.Text.Encoding.UTF8.GetBytes(body), [Authorization, "Content-Type: application/json", .. fields]));

    /// <summary>Posts JSON with the tester's key and reads the whole answer.</summary>
    protected async Task<RawResponse> PostAsync(string body, string path = ChatPath, params string[] fields) =>
        await (await SendJsonAsync(body, path, fields)).ReadAsync();

    /// <summary>Gets with the tester's key and reads the whole answer.</summary>
    protected async Task<RawResponse> GetAsync(string path, params string[] fields) =>
        await (await SendAsync(RawClient.Request("GET", path, [], [Authorization, .. fields]))).ReadAsync();

    /// <summary>A client for HTTP whose received bytes are watched.</summary>
    protected HttpClient NewHttpClient() => Own(new HttpClient(_evidence.NewHandler()) { BaseAddress = Proxy.Address });

    /// <summary>The real OpenAI client, without retries.</summary>
    protected OpenAIClient NewOpenAIClient(string key = Canary.ClientKey) => new(
        new ApiKeyCredential(key),
        new OpenAIClientOptions
        {
            Endpoint = new Uri(Proxy.Address, "/v1"),
            Transport = new HttpClientPipelineTransport(NewHttpClient()),
            RetryPolicy = new ClientRetryPolicy(0),
        });

    /// <summary>Waits for the record of the only request so far.</summary>
    protected async Task<RecordView> RecordAsync()
    {
        await Deadline.Until(() => Proxy.Records.Count > 0, what: "the completion record");
        return Proxy.Records.Single();
    }

    private async Task AssertWhileRunningAsync()
    {
        try
        {
            if (_proxy is not null)
            {
                await Invariants.AssertConnectionsAsync(_clients, _proxy);
            }
        }
        finally
        {
            await DisposeClientsAsync();
        }

        if (_proxy is not null)
        {
            await Invariants.AssertProxyAsync(
                _proxy, _evidence, _upstreams, new Expectation(_expectedUpstreamRequests, _expectedRecords, _errorsAllowedBecause));
        }
    }

    private async Task DisposeClientsAsync()
    {
        foreach (RawClient client in _clients)
        {
            await client.DisposeAsync();
        }

        _owned.ForEach(owned => owned.Dispose());
        _clients.Clear();
        _owned.Clear();
    }

    private async Task DisposeServersAsync()
    {
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }

        foreach (ScriptedUpstream upstream in _upstreams)
        {
            await upstream.DisposeAsync();
        }

        _upstreams.Clear();
    }
}
