using System.Text;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A proxy that keeps keys in a store and ends what runs by one that ends; its upstream says one word and is then silent.</summary>
[Category("P08")]
public abstract class KeyCutFixture : LedgerFixture
{
    // Promised is about a second; the machine may be busy.
    protected static TimeSpan Soon { get; } = TimeSpan.FromSeconds(3);

    protected LlmProxyKeys Keys => App.Services.GetRequiredService<LlmProxyKeys>();

    [SetUp]
    public void CutThem()
    {
        Setup.Options.Limits.RevokedKey = RevokedKey.Cut;
        Setup.Services = services => services
            .AddSingleton<ILedgerStore>(Store)
            .AddSingleton<IKeyStore>(provider => new MemoryKeyStore(provider.GetService<TimeProvider>()))
            .AddLlmProxyLedger(ledger => ledger.Directory = JournalPath);
        Upstream.Otherwise(Replies.StreamThen([Chat.Role(), Chat.Delta("Hello")], exchange => exchange.StallAsync()));
    }

    protected UpstreamStatus Main => App.Services.GetRequiredService<LlmProxyStatus>().GetUpstreams().Single(u => u.Name == "main");

    protected static byte[] Request(string key, string path, string request) => RawClient.Request(
        "POST", path, Encoding.UTF8.GetBytes(request), ["Authorization: Bearer " + key, "Content-Type: application/json"]);

    protected async Task<RawResponse> BeginAsync(string key, string path = ChatPath, string? request = null, string until = "Hello")
    {
        RawClient client = await SendAsync(Request(key, path, request ?? Chat.Request(stream: true)));
        return await (await client.ReadHeadAsync()).ReadUntilAsync(until);
    }

    /// <summary>In steps that the clocks of exchanges go by, each with a moment of real time.</summary>
    protected static Task MoveAsync(FakeTimeProvider clock, TimeSpan by)
    {
        DateTimeOffset end = clock.GetUtcNow() + by;
        return clock.AdvanceUntilAsync(() => clock.GetUtcNow() >= end, TimeSpan.FromMilliseconds(500));
    }

    /// <summary>The only request so far was cut, and its upstream let go.</summary>
    protected async Task<LedgerRow> AssertCutAsync(int status)
    {
        Assert.That(Proxy.ErrorLines, Is.Empty);
        await Deadline.Until(() => Upstream.Requests.Count > Upstream.OpenConnections, Soon, "the upstream's connection is given up");
        RecordView record = await RecordAsync();
        LedgerRow row = await RowAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("key_revoked", "client", status)));
        Assert.That((row.End, row.Cost > 0), Is.EqualTo(("key_revoked", true)));
        return row;
    }
}
