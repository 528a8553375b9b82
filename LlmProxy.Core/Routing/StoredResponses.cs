using LlmProxy.Core.Authentication;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Routing;

/// <summary>Where something that an upstream keeps was made.</summary>
/// <param name="Caller">The id of the caller it was made for.</param>
/// <param name="Model">The model that was asked for.</param>
/// <param name="Upstream">The name of the upstream that has it.</param>
internal sealed record StoredOrigin(string Caller, string Model, string Upstream);

/// <summary>
/// Remembers which upstream keeps which response or conversation, by its id: only there can it be asked for, and only by
/// the caller it was made for. Names are kept rather than objects, so that it outlives a change of configuration.
/// </summary>
/// <remarks>The entries used least recently are forgotten first, each caller's own before those of others.</remarks>
internal sealed class StoredResponses(int mostPerCaller = 10_000, int mostInAll = 100_000)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LinkedList<Entry>> _byCaller = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _all = new();

    /// <summary>How many are remembered.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Notes that an upstream keeps something.</summary>
    /// <param name="id">Plain (<see cref="StoredIds"/>).</param>
    /// <param name="origin">Where it was made. An id that is known keeps its first caller.</param>
    public void Remember(string id, StoredOrigin origin)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(id, out var known))
            {
                if (known.Origin.Caller != origin.Caller)
                {
                    return;
                }

                Forget(known);
            }

            var own = _byCaller.GetValueOrDefault(origin.Caller) ?? new LinkedList<Entry>();

            if (own.Count >= mostPerCaller)
            {
                Forget(own.First!.Value);
            }
            else if (_all.Count >= mostInAll)
            {
                Forget(_all.First!.Value);
            }

            var entry = new Entry(id, origin);
            _entries.Add(id, entry);
            own.AddLast(entry.InOwn);
            _all.AddLast(entry.InAll);

            // What had to go may have been the last of this caller's, and its list with it.
            _byCaller.TryAdd(origin.Caller, own);
        }
    }

    /// <summary>Where it was made; null if that is not known.</summary>
    /// <returns>An error if it is another caller's: to this one it does not exist.</returns>
    public Result<StoredOrigin?> Find(string id, Caller caller, string? param = null)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(id, out var entry))
            {
                return (StoredOrigin?)null;
            }

            if (entry.Origin.Caller != caller.Id)
            {
                return ProxyErrors.ResponseNotFound(DisplayText.Name(id), param);
            }

            _all.Remove(entry.InAll);
            _all.AddLast(entry.InAll);
            var own = entry.InOwn.List!;
            own.Remove(entry.InOwn);
            own.AddLast(entry.InOwn);
            return entry.Origin;
        }
    }

    private void Forget(Entry entry)
    {
        var own = entry.InOwn.List!;
        _entries.Remove(entry.Id);
        _all.Remove(entry.InAll);
        own.Remove(entry.InOwn);
        if (own.Count == 0)
        {
            _byCaller.Remove(entry.Origin.Caller);
        }
    }

    private sealed class Entry
    {
        public Entry(string id, StoredOrigin origin)
        {
            Id = id;
            Origin = origin;
            InAll = new LinkedListNode<Entry>(this);
            InOwn = new LinkedListNode<Entry>(this);
        }

        public string Id { get; }

        public StoredOrigin Origin { get; }

        public LinkedListNode<Entry> InAll { get; }

        public LinkedListNode<Entry> InOwn { get; }
    }
}
