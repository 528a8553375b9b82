namespace LlmProxy.Core.Balancing;

/// <summary>
/// Something that may be done for a share of the requests of the last ten seconds, and a few times more: extra attempts, so that
/// an upstream that fails everything does not get several times the load; and hedges.
/// </summary>
internal sealed class SlidingBudget
{
    private const int Slots = 10;
    private const int SlotMs = 1000;

    private readonly Lock _lock = new();
    private readonly int[] _requests = new int[Slots];
    private readonly int[] _taken = new int[Slots];
    private long _slot;
    private int _allRequests;
    private int _allTaken;

    /// <summary>Counts a request.</summary>
    public void Count(long now)
    {
        lock (_lock)
        {
            _requests[Turn(now)]++;
            _allRequests++;
        }
    }

    /// <summary>Takes one, if the budget has it.</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="percent">Of the requests.</param>
    /// <param name="least">On top of these.</param>
    public bool TryTake(long now, int percent, int least)
    {
        lock (_lock)
        {
            var slot = Turn(now);
            if (!HasRoom(percent, least))
            {
                return false;
            }

            _taken[slot]++;
            _allTaken++;
            return true;
        }
    }

    /// <summary>Would one be given now?</summary>
    public bool HasRoom(long now, int percent, int least)
    {
        lock (_lock)
        {
            Turn(now);
            return HasRoom(percent, least);
        }
    }

    /// <summary>Gives one back that cost nobody anything.</summary>
    public void GiveBack(long now)
    {
        lock (_lock)
        {
            var slot = Turn(now);
            if (_allTaken > 0)
            {
                // From the newest slot that has one: which, matters to nobody.
                while (_taken[slot] == 0)
                {
                    slot = (slot + Slots - 1) % Slots;
                }

                _taken[slot]--;
                _allTaken--;
            }
        }
    }

    private bool HasRoom(int percent, int least) => _allTaken < least + ((long)_allRequests * percent / 100);

    private int Turn(long now)
    {
        var slot = now / SlotMs;
        if (slot - _slot >= Slots)
        {
            Array.Clear(_requests);
            Array.Clear(_taken);
            _allRequests = _allTaken = 0;
            _slot = slot;
        }

        for (; _slot < slot; _slot++)
        {
            var index = (int)((_slot + 1) % Slots);
            _allRequests -= _requests[index];
            _allTaken -= _taken[index];
            _requests[index] = _taken[index] = 0;
        }

        return (int)(_slot % Slots);
    }
}
