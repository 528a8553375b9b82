using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Several replicas and one limit. A request of the tests takes 2,000 tokens and 0.003 dollars.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal abstract class SharedLimitFixture
{
    protected const int Limit = 50;

    protected SharedLimitFixture()
    {
        Store = new MemoryLimitStore(Clock);
        Replicas = [.. Enumerable.Range(0, 3).Select(_ => new Replica(new LimitSharing(Store, () => WhenCutOff, Clock, NullLogger<LimitSharing>.Instance), Clock))];
    }

    protected FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));

    protected MemoryLimitStore Store { get; }

    protected Replica[] Replicas { get; }

    protected CutOffShare WhenCutOff { get; set; }

    protected static async Task<ProxyError?> TryAsync(Replica replica, Caller caller, Admitting.Slot? slot = null, string? body = null)
    {
        slot ??= new Admitting.Slot();

        // The limits are compiled once for each replica, as they are in processes of their own.
        caller = replica.Own(caller);
        ProxyError? error = replica.Admitting.Reserve(caller, slot, body);
        if (error is not null && slot.MayAsk)
        {
            await replica.Sharing.ExchangeAsync(CancellationToken.None);
            error = replica.Admitting.Reserve(caller, slot, body);
        }

        return error;
    }

    protected static ProxyError? Reserve(Replica replica, Caller caller, Admitting.Slot slot) => replica.Admitting.Reserve(replica.Own(caller), slot);

    protected static async Task<int> AdmittedAsync(Replica replica, Caller caller)
    {
        var admitted = 0;
        while (await TryAsync(replica, caller) is null)
        {
            admitted++;
        }

        return admitted;
    }

    protected async Task ExchangeAllAsync()
    {
        foreach (Replica replica in Replicas)
        {
            await replica.Sharing.ExchangeAsync(CancellationToken.None);
        }
    }

    protected async Task SettleDownAsync(int exchanges = 40)
    {
        for (var i = 0; i < exchanges; i++)
        {
            Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
            await ExchangeAllAsync();
        }
    }

    protected sealed class Replica(LimitSharing sharing, FakeTimeProvider clock)
    {
        private readonly Dictionary<Caller, Caller> _callers = [];

        public LimitSharing Sharing { get; } = sharing;

        public Admitting Admitting { get; } = new(clock: clock, sharing: sharing);

        public Caller Own(Caller caller) => _callers.TryGetValue(caller, out Caller? own)
            ? own
            : _callers[caller] = new Caller(caller.Id, caller.Group, [], false) { Own = caller.Own, Pool = caller.Pool };
    }
}
