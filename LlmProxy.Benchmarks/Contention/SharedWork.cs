using LlmProxy.Benchmarks.Accounting;
using LlmProxy.Benchmarks.Admission;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Benchmarks.Contention;

/// <summary>One call of each thing that requests have in common, as often as a request makes it.</summary>
internal sealed class SharedWork : IDisposable
{
    private readonly LedgerBenchmarks _ledger = new();
    private readonly AdmissionBenchmarks _admission = new();
    private readonly LlmProxySnapshot _snapshot = new(new LlmProxyOptions());
    private readonly Tally _tally = new("upstream", "error");
    private readonly TargetLoad _load = new(TimeProvider.System);
    private readonly string[] _upstreams = ["first", "second"];

    // Apart: the second of each is used, and what lies between them is more than a line of memory.
    private readonly Lease[][] _leases = [new Lease[2], new Lease[2]];

    public SharedWork()
    {
        _ledger.Setup();
        _admission.Setup();
    }

    /// <summary>By name; the number is the thread's.</summary>
    public IEnumerable<(string Name, Action<int> Work)> All() =>
    [
        ("id of a request", static _ => RequestIds.Create(DateTimeOffset.UnixEpoch)),
        ("configuration: held and let go", _ => Hold()),
        ("load of one target: a request begins and ends", _ => Load()),
        ("count by upstream: one upstream", _ => _tally.Add(_upstreams[0])),
        ("count by upstream: one each", number => _tally.Add(_upstreams[number])),
        ("admission: two keys of two groups", number => Admit(number, number)),
        ("admission: two keys of one group", number => Admit(number * AdmissionBenchmarks.Groups, number)),
        ("admission: one key", number => Admit(0, number)),
        ("end of a request, without a ledger", _ => _ledger.WithoutLedger()),
        ("end of a request, with a row in the journal", _ => _ledger.WithLedger()),
    ];

    public void Dispose() => _ledger.Dispose();

    private void Hold()
    {
        _snapshot.TryHold();
        _snapshot.Release();
    }

    private void Admit(int key, int thread) => _admission.AdmitOne(key, ref _leases[thread][1]);

    private void Load()
    {
        _load.Begin(streams: true);
        _load.End();
    }
}
