using System.Buffers;
using System.Buffers.Text;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Admission;

/// <summary>What a request is going to use, before anybody knows.</summary>
internal readonly ref struct Estimate(
    Caller caller, CallerLimits limits, Endpoint endpoint, ref readonly RouteMatch route, ref readonly ReadRequest request, UnpricedModels unpriced)
{
    private readonly ref readonly RouteMatch _route = ref route;
    private readonly ref readonly ReadRequest _request = ref request;

    // For a model of which no answer has been seen: most answers are shorter. Who asks for more than the second by max_tokens means
    // "as long as it takes".
    private const long UsualAnswer = 1024;
    private const long LongestGuess = 4096;

    // What a client writes must not get into sums as it is: no model's answer is longer, and times all choices it is still a number.
    private const long LongestAnswer = 1_000_000_000;
    private const int LongestNumber = 32;

    /// <summary>It makes a model work; what is only looked up or counted uses nothing.</summary>
    public static bool IsCharged(Endpoint endpoint) => !endpoint.IsBodyless && endpoint.Operation != Operations.CountTokens;

    /// <summary>What is to be set aside.</summary>
    /// <param name="prompt">The input's size.</param>
    /// <param name="usual">How long such answers are; 0 if that is not known.</param>
    public Result<Claim> Make(in PromptSize prompt, long usual)
    {
        var context = Context();
        var asked = AskedFor();
        if (limits.IsExact && context == 0 && (IsContinued || (asked < 0 && HasAnswer)))
        {
            return ProxyErrors.AnswerUnbounded;
        }

        long input, output;
        if (limits.IsExact)
        {
            input = IsContinued ? context : Bound(prompt.MostTokens, context);
            output = HasAnswer ? asked >= 0 ? Bound(asked, context) : context : 0;
        }
        else
        {
            input = Bound(prompt.Tokens, context);
            var guess = usual > 0 ? usual : asked >= 0 ? LongestGuess : UsualAnswer;
            output = HasAnswer ? Bound(asked >= 0 ? Math.Min(asked, guess) : guess, context) : 0;
        }

        output *= _request.Fields.Choices;
        var money = 0L;
        return limits.HasBudget && !TryPrice(input, output, out money) ? ProxyErrors.ModelUnpriced(DisplayText.Name(_route.Asked)) : new Claim(Fit(input, output), money);
    }

    private bool HasAnswer => endpoint.Operation != Operations.Embeddings;

    /// <summary>Part of its prompt is kept by the upstream, and how long that is nobody here knows.</summary>
    private bool IsContinued => endpoint.IsStored && (_request.Fields.PreviousResponse ?? _request.Fields.Conversation) is not null;

    // A guess must not keep a request out for ever that would fit: it is let in when nothing else is.
    private long Fit(long input, long output) =>
        !limits.IsExact && limits.TokenLimit >= input && input + output > limits.TokenLimit ? limits.TokenLimit : input + output;

    /// <summary>The largest window of the targets that it may be sent to; 0 if one of them does not say.</summary>
    private long Context()
    {
        var largest = 0L;
        foreach (var target in _route.Route.Targets)
        {
            if (IsCandidate(target))
            {
                if (target.Context == 0)
                {
                    return 0;
                }

                largest = Math.Max(largest, target.Context);
            }
        }

        return largest;
    }

    /// <summary>What the dearest target would take.</summary>
    /// <returns>False if one of them has no price and that is not to be.</returns>
    private bool TryPrice(long input, long output, out long money)
    {
        money = 0;
        foreach (var target in _route.Route.Targets)
        {
            if (!IsCandidate(target))
            {
                continue;
            }

            if (target.PriceFor(_route.Star) is not { } price)
            {
                if (unpriced == UnpricedModels.Refuse)
                {
                    return false;
                }

                continue;
            }

            money = Math.Max(money, Cost(price, input, output));
        }

        return true;
    }

    private long Cost(Price price, long input, long output)
    {
        if (!limits.IsExact && price.TryPredict(input, output, out var trillionths))
        {
            return Money.FromTrillionths(trillionths);
        }

        var usage = new Usage(input, -1, output);
        return Money.FromDollars(limits.IsExact ? MostOf(price, usage) : price.CostOf(usage, null));
    }

    /// <summary>With the dearest tier, and all of the input written to a cache if that costs more.</summary>
    private static decimal MostOf(Price price, in Usage usage)
    {
        var most = 0m;
        foreach (var tier in (IEnumerable<string?>)[null, .. price.Options.Tiers.Keys])
        {
            foreach (var written in (ReadOnlySpan<Usage>)[usage, usage with { WrittenInput = usage.Input }, usage with { WrittenInput = usage.Input, WrittenForHour = usage.Input }])
            {
                most = Math.Max(most, price.CostOf(written, tier));
            }
        }

        return most;
    }

    private bool IsCandidate(Target target) =>
        (_route.Keeper is null || _route.Keeper == target.Upstream.Name)
        && target.Serves(endpoint.Operation, _route.Star) && target.Upstream.Carries(caller.UpstreamTags);

    /// <summary>How long one answer may be by the request, as it goes upstream; below 0 if it does not say.</summary>
    private long AskedFor() => endpoint.Operation switch
    {
        // Upstreams differ in which of the two counts.
        Operations.Chat => Math.Max(Number(FieldNames.MaxTokens), Number(FieldNames.MaxCompletionTokens)),
        Operations.Responses => Number(FieldNames.MaxOutputTokens),
        _ => Number(FieldNames.MaxTokens),
    };

    private long Number(int name)
    {
        var edits = _route.Route.Edits;
        foreach (var edit in edits.Set)
        {
            if (edit.Name == name)
            {
                return Read(edit.ValueJson);
            }
        }

        if (_request.Fields.Find(name) is { } field)
        {
            if (edits.Remove.AsSpan().Contains(name))
            {
                return -1;
            }

            return Read(field);
        }

        foreach (var edit in edits.Default)
        {
            if (edit.Name == name)
            {
                return Read(edit.ValueJson);
            }
        }

        return -1;
    }

    private long Read(in RequestField field)
    {
        var body = _request.Body.Bytes;
        var length = (int)Math.Min(LongestNumber, field.ValueEnd - field.ValueStart);
        if (body.IsSingleSegment)
        {
            return Read(body.FirstSpan.Slice((int)field.ValueStart, length));
        }

        Span<byte> copy = stackalloc byte[length];
        body.Slice(field.ValueStart, length).CopyTo(copy);
        return Read(copy);
    }

    private static long Read(ReadOnlySpan<byte> json) => Utf8Parser.TryParse(json, out long number, out var read) && read == json.Length && number >= 0
        ? Math.Min(number, LongestAnswer)
        : -1;

    private static long Bound(long tokens, long context) => context > 0 ? Math.Min(tokens, context) : tokens;
}
