using System.Numerics;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Balancing;

/// <summary>What one request of a conversation has to do with the others: where it must go, and what is learnt for the next.</summary>
internal partial struct Selection
{
    /// <summary>They belong to more than one upstream.</summary>
    public readonly bool HasSeveralUpstreams
    {
        get
        {
            var first = First.Upstream;
            for (var left = _open & (_open - 1); left != 0; left &= left - 1)
            {
                if (_pool.Candidates[BitOperations.TrailingZeroCount(left)].Target.Upstream != first)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>
    /// Leaves one upstream, because only one account can read what the request carries: the one that answered the conversation
    /// before, or if nobody remembers, the one where such requests belong.
    /// </summary>
    public void KeepToOneUpstream()
    {
        var keeper = -1;
        for (var left = _open; left != 0 && keeper < 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            keeper = State.Homes.IsAt(_key.Conversation, _pool.Candidates[index].Account) ? index : -1;
        }

        keeper = keeper < 0 ? _pool.HomeOf(_open, _key) : keeper;
        if (keeper < 0)
        {
            var now = Clock.Ms(_time);
            keeper = _pool.Pick(ReadyAt(now, out _) is not 0 and var ready ? ready : _open, _key, now);
        }

        var upstream = _pool.Candidates[keeper].Target.Upstream;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            _open &= _pool.Candidates[index].Target.Upstream == upstream ? ulong.MaxValue : ~(1UL << index);
        }

        _all = _open;
        Count = BitOperations.PopCount(_open);
    }

    /// <summary>A whole answer has come, before its end goes out: the next request of its conversation may follow at once.</summary>
    /// <param name="upstream">The name of who gave it.</param>
    /// <param name="model">The model there, as configured.</param>
    /// <param name="usage">What it reported.</param>
    public readonly void Learn(string? upstream, string? model, in Usage usage)
    {
        if ((_key.Hash | _key.Conversation) == 0)
        {
            return;
        }

        foreach (var candidate in _pool.Candidates)
        {
            if (candidate.Target.Upstream.Name == upstream && candidate.Target.Model == model)
            {
                State.Homes.Remember(_key.Conversation, candidate.Account);
                if (Route.Balance == TargetBalance.Affinity && _key.Hash != 0)
                {
                    candidate.Load.Cache.Note(_key.Hash, usage, Clock.Ms(_time));
                }

                return;
            }
        }
    }
}
