using System.Collections.Concurrent;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// How many tokens a model makes of so many bytes: learned from answers whose upstream said so, for those that end before it could.
/// </summary>
internal sealed class TokenRates
{
    // Names of models may be the clients' choice: beyond so many, what is known of none counts.
    private const int MostModels = 4096;

    private readonly ConcurrentDictionary<(string Upstream, string Model), TokenRate> _rates = new();
    private readonly RecentPairs<TokenRate> _recent = new();

    public TokenRate? Of(string? upstream, string? model)
    {
        if (upstream is null || model is null)
        {
            return null;
        }

        return _recent.Find(upstream, model) ?? (Find(upstream, model) is { } rate ? _recent.Keep(upstream, model, rate) : null);
    }

    private TokenRate? Find(string upstream, string model)
    {
        if (_rates.TryGetValue((upstream, model), out var rate))
        {
            return rate;
        }

        return _rates.Count >= MostModels ? null : _rates.GetOrAdd((upstream, model), static _ => new TokenRate());
    }
}

/// <summary>
/// What is known of one model. Sums of the last answers, of which older ones count ever less. Most servers send one token with
/// each event, some several: whichever of bytes and events has told the tokens of whole answers better is believed of cut ones.
/// </summary>
internal sealed class TokenRate
{
    // Half of the weight is with the last 22 answers: quick enough for another prompt, slow enough for an odd one.
    private const double Fading = 31d / 32;

    private readonly Lock _lock = new();
    private double _promptEstimated;
    private double _promptTokens;
    private double _tokens;
    private double _bytes;
    private double _events;
    private double _missByBytes;
    private double _missByEvents;
    private double _hidden;
    private double _answers;

    /// <summary>An answer came whole, and its upstream said what it used.</summary>
    /// <param name="usage">What it said.</param>
    /// <param name="prompt">What was estimated of the prompt.</param>
    /// <param name="bytes">Of text that were relayed; 0 if they say nothing.</param>
    /// <param name="events">In which they came, the last of which has the reason for the end and no text.</param>
    public void Learn(in Usage usage, long prompt, long bytes, long events)
    {
        // Reasoning that is not shown has no bytes: an answer of so few for its tokens is one of that kind.
        var shown = usage.Reasoning > 0 && bytes < 2 * usage.Output ? usage.Output - usage.Reasoning : usage.Output;
        lock (_lock)
        {
            if (prompt > 0 && usage.Input > 0)
            {
                _promptEstimated = (_promptEstimated * Fading) + prompt;
                _promptTokens = (_promptTokens * Fading) + usage.Input;
            }

            if (bytes > 0 && shown > 0 && events > 1)
            {
                Learn(shown, bytes, events - 1);
                _hidden = (_hidden * Fading) + (usage.Output - shown);
                _answers = (_answers * Fading) + 1;
            }
        }
    }

    /// <param name="estimated">By the bytes alone.</param>
    public long Prompt(long estimated)
    {
        lock (_lock)
        {
            return _promptEstimated > 0 ? Whole(estimated * _promptTokens / _promptEstimated) : estimated;
        }
    }

    /// <param name="bytes">Of text that were relayed.</param>
    /// <param name="events">In which they came.</param>
    public long Answer(long bytes, long events)
    {
        lock (_lock)
        {
            return _tokens == 0 || bytes == 0
                ? TokenEstimate.OfAnswer(bytes, events)
                : Whole((_missByEvents < _missByBytes ? events * _tokens / _events : bytes * _tokens / _bytes) + (_hidden / _answers));
        }
    }

    private void Learn(double tokens, double bytes, double events)
    {
        if (_tokens > 0)
        {
            _missByBytes = (_missByBytes * Fading) + Miss(bytes * _tokens / _bytes, tokens);
            _missByEvents = (_missByEvents * Fading) + Miss(events * _tokens / _events, tokens);
        }

        _tokens = (_tokens * Fading) + tokens;
        _bytes = (_bytes * Fading) + bytes;
        _events = (_events * Fading) + events;
    }

    private static double Miss(double told, double were) => Math.Abs(told - were) / were;

    private static long Whole(double tokens) => (long)Math.Clamp(Math.Round(tokens), 1, Usage.Most);
}
