using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Balancing;

/// <summary>What a request's choice of a target hangs on besides chance.</summary>
/// <param name="Hash">Of what keeps it on one target; 0: nothing does.</param>
/// <param name="Conversation">Of the conversation, each caller's apart, where that may matter; 0: it is not known.</param>
/// <param name="Streams">It asks for a stream.</param>
internal readonly record struct PickKey(ulong Hash, ulong Conversation, bool Streams)
{
    private const Operations Prompted =
        Operations.Chat | Operations.Responses | Operations.Messages | Operations.CountTokens | Operations.Completions;

    // One per running agent, however many requests it makes.
    private static readonly string[] _sessionHeaders = ["x-claude-code-session-id", "session_id", "session-id", "x-session-id"];
    private static readonly string[] _chatHeaders = ["x-openwebui-chat-id"];

    /// <summary>Finds what keeps a request where others like it went.</summary>
    /// <param name="route">What it leads to.</param>
    /// <param name="isKept">The upstream may keep something that later requests carry or name.</param>
    /// <param name="operation">What is asked for.</param>
    /// <param name="caller">Who asks: what they call their sessions and users is theirs alone.</param>
    /// <param name="fields">The body's.</param>
    /// <param name="headers">The request's.</param>
    public static PickKey Of(Route route, bool isKept, Operations operation, Caller caller, RequestFields fields, IHeaderDictionary headers)
    {
        if (route.Balance == TargetBalance.Weighted && route.Sticky is { } sticky && !isKept)
        {
            return new PickKey(OfSticky(sticky, caller, fields, headers), 0, fields.Stream);
        }

        var isAffine = route.Balance == TargetBalance.Affinity && (operation & Prompted) != 0;
        if (!isAffine && !isKept)
        {
            return new PickKey(0, 0, fields.Stream);
        }

        var own = OfConversation(caller, fields, headers);
        var content = own == 0 ? fields.Identity.Prompt : 0;
        var hash = isAffine ? own | content : route.Balance == TargetBalance.Weighted && route.Sticky is { } by ? OfSticky(by, caller, fields, headers) : 0;

        // Callers who send the same prompt share an account's cache of it, but no conversation.
        return new PickKey(hash, !isKept ? 0 : content == 0 ? own : Fingerprint.Join(Fingerprint.Of(caller.Id), content), fields.Stream);
    }

    private static ulong OfSticky(Stickiness sticky, Caller caller, RequestFields fields, IHeaderDictionary headers) => sticky.By switch
    {
        StickyBy.Key => Fingerprint.Of(caller.Id),
        StickyBy.User => OfCaller(caller, fields.Identity.User),
        _ => OfHeader(headers, sticky.Header),
    };

    private static ulong OfConversation(Caller caller, RequestFields fields, IHeaderDictionary headers)
    {
        var named = OfHeaders(headers, _sessionHeaders);
        named = named == 0 ? fields.Identity.CacheKey : named;
        named = named == 0 ? OfHeaders(headers, _chatHeaders) : named;
        named = named == 0 && (fields.PreviousResponse ?? fields.Conversation) is { } stored ? Fingerprint.Of(stored) : named;
        return OfCaller(caller, named);
    }

    private static ulong OfHeaders(IHeaderDictionary headers, string[] names)
    {
        foreach (var name in names)
        {
            if (OfHeader(headers, name) is not 0 and var hash)
            {
                return hash;
            }
        }

        return 0;
    }

    private static ulong OfHeader(IHeaderDictionary headers, string name) =>
        headers.TryGetValue(name, out var values) && values.ToString() is { Length: > 0 } value ? Fingerprint.Of(value) : 0;

    private static ulong OfCaller(Caller caller, ulong hash) => hash == 0 ? 0 : Fingerprint.Join(Fingerprint.Of(caller.Id), hash);
}
