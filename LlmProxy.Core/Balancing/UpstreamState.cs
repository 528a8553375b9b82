using System.Collections.Concurrent;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Balancing;

/// <summary>Whether a target may be asked now.</summary>
internal enum Readiness
{
    Ready,

    /// <summary>All its places are taken.</summary>
    Full,

    /// <summary>It has asked to be left alone for a while.</summary>
    Cooling,

    /// <summary>It refuses us or fails.</summary>
    Out,
}

/// <summary>What a request is the probe of: of an account, of a model there, of both or of nothing (0).</summary>
internal readonly record struct ProbeRight(long Account, long Model);

/// <summary>What is known of an upstream while it is in use. Outlives a reload that does not change it.</summary>
internal sealed class UpstreamState
{
    // A name that a client chose may be one of very many.
    private const int MostModels = 1000;

    // A refusal that says nothing of its length: a minute, and twice as long each time, up to ten.
    private static readonly TimeSpan _firstRefusal = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan _longestRefusal = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, Cooling> _models = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TargetLoad> _loads = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;
    private readonly Cooling _account = new(_firstRefusal, _longestRefusal);
    private long _refusals;

    // Asked for every candidate of every request; the dictionary would take all of its locks to say that it is empty.
    private volatile bool _hasModels;

    public UpstreamState(Upstream upstream, TimeProvider time, ILogger<Breaker>? logger = null)
    {
        _time = time;
        Name = upstream.Name;
        Breaker = new Breaker(upstream.Options.Breaker, time, upstream.Name, logger);
        Places = new Places(upstream.Options.Concurrent, upstream.Options.Queue, time);
    }

    public string Name { get; }

    public Breaker Breaker { get; }

    public Places Places { get; }

    /// <summary>What its health checks say, if it has any.</summary>
    public HealthCheck Check { get; } = new();

    /// <summary>Times that it refused our credentials: 401 and 403.</summary>
    public long Refusals => Interlocked.Read(ref _refusals);

    /// <summary>It is out, because it was seen to fail, and since when; 0 if it is not. Then it may be tried all the same where nobody else is left.</summary>
    public long FailingSince => Breaker.IsOpen ? Breaker.OpenedAt : Check.FailingSince;

    /// <summary>Why the account as a whole is left alone; <see cref="FailureCause.None"/> if it is not.</summary>
    public FailureCause AccountCause(long now) => _account.IsOver(now) ? FailureCause.None : _account.Cause;

    /// <summary>When the account may be asked again, in milliseconds; the past if it may.</summary>
    public long AccountUntil => _account.Until;

    /// <summary>Models that are left alone: their names at the upstream, why and until when.</summary>
    public IEnumerable<(string Model, FailureCause Cause, long Until)> CoolingModels(long now) =>
        _models.Where(e => !e.Value.IsOver(now)).Select(e => (e.Key, e.Value.Cause, e.Value.Until));

    /// <summary>Load and speed of a target, by its model as the configuration writes it.</summary>
    public TargetLoad LoadOf(string model) => _loads.GetOrAdd(model, static (_, time) => new TargetLoad(time), _time);

    /// <summary>May it be asked for anything now?</summary>
    public bool MayBeAsked(long now) => now >= _account.Until && !Check.IsFailing && Breaker.MayPass(now, out _);

    /// <summary>May it be asked for this model now?</summary>
    /// <param name="target">Where its model has a name, perhaps with a star.</param>
    /// <param name="star">What the star stands for.</param>
    /// <param name="isOnly">Nobody else can be asked: then what was said of this model alone is no reason not to ask again.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="until">When it may be, if it is known.</param>
    /// <param name="cause">Why not.</param>
    public Readiness Look(Target target, ReadOnlySpan<char> star, bool isOnly, long now, out long until, out FailureCause cause)
    {
        if (now < (until = _account.Until))
        {
            cause = _account.Cause;
            return Readiness.Out;
        }

        if (_hasModels && _models.TryGetValue(target.ModelFor(star), out var cooling) && now < (until = cooling.Until)
            && (!isOnly || cooling.IsAsked(now)))
        {
            cause = cooling.Cause;
            return cooling.IsRefused ? Readiness.Out : Readiness.Cooling;
        }

        cause = FailureCause.Failed;
        if (Check.IsFailing)
        {
            until = Check.NextAt;
            return Readiness.Out;
        }

        return !Breaker.MayPass(now, out until) ? Readiness.Out : Places.IsFull ? Readiness.Full : Readiness.Ready;
    }

    /// <summary>Asks for the right to send a request: where a probe is due, only one at a time has it. What comes of it is told in any case, with the right.</summary>
    public bool TryBegin(Target target, ReadOnlySpan<char> star, bool isOnly, long now, out ProbeRight right)
    {
        right = default;
        if (!_account.MayAsk(now, out var account))
        {
            return false;
        }

        long model = 0;
        if (isOnly || !_hasModels || !_models.TryGetValue(target.ModelFor(star), out var cooling) || cooling.MayAsk(now, out model))
        {
            right = new ProbeRight(account, model);
            return true;
        }

        _account.ProbeTold(account);
        return false;
    }

    /// <summary>An attempt committed. A pause that another was asked for in the meantime holds all the same.</summary>
    /// <param name="model">Its name at the upstream.</param>
    /// <param name="now">Milliseconds.</param>
    public void Answered(string model, long now)
    {
        _account.Answered();
        if (_hasModels && _models.TryGetValue(model, out var cooling))
        {
            cooling.Answered();
            lock (_models)
            {
                if (cooling.IsOver(now))
                {
                    _models.TryRemove(new KeyValuePair<string, Cooling>(model, cooling));
                    _hasModels = !_models.IsEmpty;
                }
            }
        }
    }

    /// <summary>An attempt ended without an answer.</summary>
    /// <param name="model">Its name at the upstream.</param>
    /// <param name="error">How.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="right">What it was the probe of.</param>
    public void Failed(string model, ProxyError error, long now, ProbeRight right = default)
    {
        switch (error.Cause)
        {
            case FailureCause.KeyRefused or FailureCause.QuotaGone:
                CountRefusal(error.Cause);
                _account.Refused(now, error.Cause);
                return;
            case FailureCause.ModelForbidden or FailureCause.ModelUnknown:
                CountRefusal(error.Cause);

                // The key was good enough to be told so.
                _account.Answered();
                lock (_models)
                {
                    CoolingOf(model).Refused(now, error.Cause);
                }

                return;
            case FailureCause.RateLimited or FailureCause.Failed when error.CoolForMs > 0:
                lock (_models)
                {
                    CoolingOf(model).Pause(now, error.CoolForMs, error.IsPauseAsked, error.Cause);
                }

                break;
        }

        Untold(model, right);
    }

    /// <summary>An attempt that had the right to be sent told nothing of what a probe is to find out, or was not sent at all.</summary>
    /// <param name="model">Its name at the upstream.</param>
    /// <param name="right">What it was the probe of.</param>
    public void Untold(string model, ProbeRight right)
    {
        _account.ProbeTold(right.Account);
        if (right.Model != 0 && _models.TryGetValue(model, out var cooling))
        {
            cooling.ProbeTold(right.Model);
        }
    }

    /// <summary>A health check found it well.</summary>
    /// <param name="tellsOfMoney">It was a request that costs something.</param>
    public async ValueTask FoundWellAsync(bool tellsOfMoney)
    {
        Check.Succeeded();
        if (_account.Cause == FailureCause.KeyRefused || tellsOfMoney)
        {
            _account.Answered();
        }

        await Breaker.CloseAsync();
    }

    private void CountRefusal(FailureCause cause)
    {
        if (cause is FailureCause.KeyRefused or FailureCause.ModelForbidden)
        {
            Interlocked.Increment(ref _refusals);
        }
    }

    // Under the lock until it is used: who answers meanwhile would take away what is over, and it would count for nothing.
    private Cooling CoolingOf(string model)
    {
        if (_models.TryGetValue(model, out var known))
        {
            return known;
        }

        if (_models.Count >= MostModels)
        {
            foreach (var (name, cooling) in _models)
            {
                _models.TryRemove(new KeyValuePair<string, Cooling>(name, cooling));
                break;
            }
        }

        _hasModels = true;
        return _models.GetOrAdd(model, static _ => new Cooling(_firstRefusal, _longestRefusal));
    }
}
