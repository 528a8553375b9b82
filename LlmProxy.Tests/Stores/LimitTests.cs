using LlmProxy.Core.Admission;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>Limits that several replicas share in PostgreSQL.</summary>
internal sealed class LimitTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private string _connection = "";
    private PostgresDatabase _database = null!;
    private PostgresLimitStore _store = null!;

    [SetUp]
    public async Task OpenAsync()
    {
        _connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        _database = new PostgresDatabase(_connection);
        _store = new PostgresLimitStore(_database);
    }

    [TearDown]
    public async Task CloseAsync() => await (_database?.DisposeAsync() ?? ValueTask.CompletedTask);

    [Test]
    public async Task What_one_holds_no_other_gets_until_it_is_given_back()
    {
        Assert.That(await AskAsync("a", used: 0, hold: 60), Is.EqualTo(new LimitGrant(60, 0)));
        Assert.That(await AskAsync("b", used: 0, hold: 60), Is.EqualTo(new LimitGrant(40, 0)));
        Assert.That(await AskAsync("c", used: 0, hold: 1), Is.EqualTo(new LimitGrant(0, 0)));
        Assert.That(await AskAsync("a", used: 25, hold: 60), Is.EqualTo(new LimitGrant(35, 25)), "what it had used is no longer held");
        Assert.That(await AskAsync("a", used: 25, hold: 5), Is.EqualTo(new LimitGrant(5, 25)));
        Assert.That(await AskAsync("c", used: 0, hold: 100), Is.EqualTo(new LimitGrant(30, 25)));
    }

    [Test]
    public async Task Nothing_is_granted_beyond_the_limit_whatever_was_used()
    {
        Assert.That(await AskAsync("a", used: 130, hold: 10), Is.EqualTo(new LimitGrant(0, 130)));
        Assert.That(await AskAsync("b", used: 0, hold: 10), Is.EqualTo(new LimitGrant(0, 130)));
    }

    [Test]
    public async Task What_a_silent_replica_held_goes_to_the_others_and_what_it_had_used_stays()
    {
        await AskAsync("a", used: 30, hold: 70, expires: TimeSpan.FromMilliseconds(1));
        await Task.Delay(20);
        Assert.That(await AskAsync("b", used: 0, hold: 100), Is.EqualTo(new LimitGrant(70, 30)));
        Assert.That(await AskAsync("a", used: 40, hold: 70), Is.EqualTo(new LimitGrant(0, 40)), "it had used more than it told: the bound on what is passed");
    }

    [Test]
    public async Task Of_requests_that_run_now_a_silent_replica_has_none_any_more()
    {
        await AskAsync("a", used: 80, hold: 20, window: "now", expires: TimeSpan.FromMilliseconds(1));
        await Task.Delay(20);
        Assert.That(await AskAsync("b", used: 0, hold: 100, window: "now"), Is.EqualTo(new LimitGrant(100, 0)));
        Assert.That(await AskAsync("b", used: 10, hold: 0, window: "now"), Is.EqualTo(new LimitGrant(0, 10)));
        Assert.That(await AskAsync("b", used: 3, hold: 0, window: "now"), Is.EqualTo(new LimitGrant(0, 3)));
    }

    [Test]
    public async Task Windows_and_meters_are_apart_and_answers_come_in_the_order_of_the_asks()
    {
        LimitAsk Ask(string meter, string window, decimal limit) => new(meter, window, limit, 0, 1000, Minute, null);
        var grants = await _store.ExchangeAsync("a", [Ask("z", "total", 1), Ask("a", "2026-11", 2), Ask("a", "2026-10", 3), Ask("é", "total", 0.0000000001m)], CancellationToken.None);
        Assert.That(grants.Select(static grant => grant.Held), Is.EqualTo(new[] { 1m, 2m, 3m, 0.0000000001m }));
        Assert.That(await _store.ExchangeAsync("a", [], CancellationToken.None), Is.Empty);
    }

    [Test]
    public async Task L10_Any_number_of_replicas_that_ask_at_once_are_granted_the_limit_and_no_more()
    {
        string[] meters = [.. Enumerable.Range(0, 20).Select(static i => $"key/{i}")];
        var held = await Task.WhenAll(Enumerable.Range(0, 12).Select(replica => Task.Run(async () =>
        {
            var random = new Random(replica);
            var (used, last) = (new decimal[meters.Length], new decimal[meters.Length]);
            for (var round = 0; round < 15; round++)
            {
                var order = meters.Select((meter, i) => (meter, i)).OrderBy(_ => random.Next()).ToArray();
                var grants = await _store.ExchangeAsync(
                    $"r{replica}", [.. order.Select(one => new LimitAsk(one.meter, "total", 100, used[one.i], random.Next(20), Minute, null))], CancellationToken.None);
                for (var i = 0; i < order.Length; i++)
                {
                    var use = Math.Floor(grants[i].Held * (decimal)random.NextDouble());
                    used[order[i].i] += use;
                    last[order[i].i] = grants[i].Held - use;
                }
            }

            return used.Zip(last, static (u, l) => u + l).ToArray();
        })));
        Assert.That(meters.Select((_, i) => held.Sum(one => one[i])), Is.All.LessThanOrEqualTo(100).And.Some.GreaterThan(90));
    }

    [Test]
    public async Task What_has_ended_is_forgotten_and_the_count_of_the_long_gone_is_kept()
    {
        await AskAsync("a", used: 10, hold: 5, window: "29403612", ends: DateTimeOffset.UtcNow.AddHours(-2));
        await AskAsync("a", used: 10, hold: 5, window: "total");
        await AskAsync("b", used: 1, hold: 5, window: "total");
        await AskAsync("a", used: 10, hold: 5, window: "now");
        await PostgresServer.ExecuteAsync(_connection, "UPDATE llmproxy_slices SET expires = now() - interval '8 days' WHERE replica = 'a'");
        await _store.ForgetAsync(CancellationToken.None);
        Assert.That(await CountAsync("SELECT COUNT(*) FROM llmproxy_limits"), Is.EqualTo(2));
        Assert.That(await CountAsync("SELECT COUNT(*) FROM llmproxy_slices"), Is.EqualTo(1));
        Assert.That(await AskAsync("b", used: 2, hold: 100, window: "total"), Is.EqualTo(new LimitGrant(88, 12)));
        Assert.That(await AskAsync("b", used: 0, hold: 100, window: "now"), Is.EqualTo(new LimitGrant(100, 0)));
    }

    [Test]
    public async Task An_exchange_for_many_keys_takes_milliseconds()
    {
        var asks = Enumerable.Range(0, 500).Select(static i => new LimitAsk($"key/{i}/usd", "2026-11", 10, 1, 1, Minute, null)).ToArray();
        await _store.ExchangeAsync("a", asks, CancellationToken.None);
        var began = TimeProvider.System.GetTimestamp();
        await _store.ExchangeAsync("a", asks[..1], CancellationToken.None);
        var one = TimeProvider.System.GetElapsedTime(began);
        await _store.ExchangeAsync("a", asks, CancellationToken.None);
        var all = TimeProvider.System.GetElapsedTime(began) - one;
        await TestContext.Out.WriteLineAsync($"one: {one.TotalMilliseconds:F1} ms, 500: {all.TotalMilliseconds:F1} ms");
        Assert.That(all, Is.LessThan(TimeSpan.FromSeconds(5)), "two orders slower than it should be");
    }

    private async Task<LimitGrant> AskAsync(
        string replica, decimal used, decimal hold, string window = "total", TimeSpan? expires = null, DateTimeOffset? ends = null) =>
        (await _store.ExchangeAsync(replica, [new LimitAsk("key/a", window, 100, used, hold, expires ?? Minute, ends)], CancellationToken.None)).Single();

    private async Task<long> CountAsync(string sql)
    {
        await using var connection = await _database.OpenAsync(CancellationToken.None);
        await using var command = connection.Command(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
