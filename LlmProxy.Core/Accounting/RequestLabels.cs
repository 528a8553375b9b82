using Label = LlmProxy.Core.Accounting.MetricNames.Label;

namespace LlmProxy.Core.Accounting;

/// <summary>The labels of what is measured of a request, made once for all requests that have the same.</summary>
internal sealed class RequestLabels
{
    private readonly string? _operation;
    private readonly string? _provider;
    private readonly string? _route;
    private readonly string? _responseModel;

    public RequestLabels(Exchange exchange)
    {
        _operation = exchange.GenAiOperation;
        _provider = exchange.Provider;
        _route = exchange.Route;
        _responseModel = exchange.ResponseModel;
        Operation = [.. Known(Label.Operation, _operation)];
        Request =
        [
            .. Operation, .. Known(Label.Provider, _provider), .. Known(Label.RequestModel, _route), .. Known(Label.ResponseModel, _responseModel),
        ];
        Input = [.. Request, new(Label.TokenType, "input")];
        Output = [.. Request, new(Label.TokenType, "output")];
    }

    public KeyValuePair<string, object?>[] Operation { get; }

    public KeyValuePair<string, object?>[] Request { get; }

    public KeyValuePair<string, object?>[] Input { get; }

    public KeyValuePair<string, object?>[] Output { get; }

    public KeyValuePair<string, object?>[] EstimatedInput => field ??= [.. Input, new(Label.UsageSource, "estimate")];

    public KeyValuePair<string, object?>[] EstimatedOutput => field ??= [.. Output, new(Label.UsageSource, "estimate")];

    public KeyValuePair<string, object?>[] Failed(string error) => [.. Request, new(Label.ErrorType, error)];

    public bool IsOf(Exchange exchange) =>
        _route == exchange.Route && _responseModel == exchange.ResponseModel && _provider == exchange.Provider && _operation == exchange.GenAiOperation;

    private static IEnumerable<KeyValuePair<string, object?>> Known(string label, string? value) => value is null ? [] : [new(label, value)];
}

/// <summary>The labels of the last requests, by route and where it led.</summary>
internal sealed class RequestLabelSets
{
    // A power of two. What has no place of its own is made anew, as often as it takes turns.
    private const int Most = 64;

    private readonly RequestLabels?[] _sets = new RequestLabels[Most];

    public RequestLabels Of(Exchange exchange)
    {
        ref var place = ref _sets[PlaceOf(exchange)];
        if (Volatile.Read(ref place) is { } known && known.IsOf(exchange))
        {
            return known;
        }

        var made = new RequestLabels(exchange);
        Volatile.Write(ref place, made);
        return made;
    }

    private static int PlaceOf(Exchange exchange) =>
        (TextGlance.At(exchange.Route) + TextGlance.At(exchange.ResponseModel) + TextGlance.At(exchange.Provider)) & (Most - 1);
}
