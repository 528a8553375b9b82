using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// What makes two requests the same call: who asks (the scope: nothing is ever shared between callers), by which configuration,
/// for what, in which words. Kept as a hash, for the words are gone with their exchange.
/// </summary>
internal readonly struct CallIdentity : IEquatable<CallIdentity>
{
    private readonly Route _route;
    private readonly UInt128 _first;
    private readonly UInt128 _second;

    private CallIdentity(Route route, ReadOnlySpan<byte> hash)
    {
        _route = route;
        _first = BitConverter.ToUInt128(hash);
        _second = BitConverter.ToUInt128(hash[16..]);
    }

    /// <summary>May it share a call with others at all? Embeddings, and answers that are meant to be always the same.</summary>
    public static bool Suits(ForwardRequest request) =>
        request.Route.Route.Coalesces && !request.Endpoint.IsBodyless && !request.NamesStored && request.Route.Keeper is null
        && (request.Endpoint.Operation == Operations.Embeddings || IsTemperatureZero(request));

    public static CallIdentity Of(ForwardRequest request, Caller caller)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(hash, caller.Id);
        Add(hash, caller.Group);
        foreach (var tag in caller.UpstreamTags)
        {
            Add(hash, tag);
        }

        Add(hash, request.Endpoint.Path);
        Add(hash, request.Query);
        Add(hash, request.Route.Asked);
        foreach (var (name, values) in request.Headers)
        {
            if (ForwardedHeaders.GoesUp(name) && !IsOfTheClientAlone(name))
            {
                Add(hash, name);
                Add(hash, values.ToString());
            }
        }

        Add(hash, null);
        foreach (var segment in request.Body.Bytes)
        {
            hash.AppendData(segment.Span);
        }

        Span<byte> result = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(result);
        return new CallIdentity(request.Route.Route, result);
    }

    /// <summary>A route is one of a generation: requests before and after a reload are never the same call.</summary>
    public bool Equals(CallIdentity other) => ReferenceEquals(_route, other._route) && _first == other._first && _second == other._second;

    public override bool Equals(object? obj) => obj is CallIdentity other && Equals(other);

    public override int GetHashCode() => _first.GetHashCode();

    // They tell of the client and its tries, not of what is asked.
    private static bool IsOfTheClientAlone(string name) =>
        name.Equals("User-Agent", StringComparison.OrdinalIgnoreCase) || name.StartsWith("x-stainless-", StringComparison.OrdinalIgnoreCase);

    // With its length in front, so that no two lists of texts come to the same bytes.
    private static void Add(IncrementalHash hash, string? text)
    {
        Span<byte> length = stackalloc byte[4];
        BitConverter.TryWriteBytes(length, text?.Length ?? -1);
        hash.AppendData(length);
        hash.AppendData(Encoding.UTF8.GetBytes(text ?? ""));
    }

    /// <summary>As it goes upstream: what the model sets counts before what the request says.</summary>
    private static bool IsTemperatureZero(ForwardRequest request)
    {
        var fields = request.Fields;
        var name = fields.Names.IndexOf(Route.Temperature);
        var edits = request.Route.Route.Edits;
        if (Find(edits.Set, name) is { } set)
        {
            return IsZero(set);
        }

        if (name < 0 || Array.IndexOf(edits.Remove, name) >= 0 || fields.CheckUnambiguous(name) is not null)
        {
            return false;
        }

        if (fields.Find(name) is not { } field)
        {
            return Find(edits.Default, name) is { } usual && IsZero(usual);
        }

        // 0, 0.0, 0e0: nobody writes it longer than this.
        Span<byte> value = stackalloc byte[16];
        var length = field.ValueEnd - field.ValueStart;
        if (length > value.Length)
        {
            return false;
        }

        System.Buffers.BuffersExtensions.CopyTo(request.Body.Bytes.Slice(field.ValueStart, length), value);
        return IsZero(value[..(int)length]);
    }

    private static byte[]? Find(ParameterEdit[] edits, int name)
    {
        foreach (var edit in edits)
        {
            if (edit.Name == name)
            {
                return edit.ValueJson;
            }
        }

        return null;
    }

    private static bool IsZero(ReadOnlySpan<byte> json) => Utf8Parser.TryParse(json, out double value, out var read) && read == json.Length && value == 0;
}
