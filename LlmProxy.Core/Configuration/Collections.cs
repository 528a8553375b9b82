using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>Members that fill a collection which the options already have.</summary>
internal static class Collections
{
    private static readonly ListShape<string> TextList = new(TextShape.Instance, static () => "");
    private static readonly MapShape<string> HeaderMap = new(HeaderValueShape.Instance, names: StringComparer.OrdinalIgnoreCase);
    private static readonly MapShape<JsonElement> JsonMap = new(JsonShape.Instance);

    public static Member<TOwner> Texts<TOwner>(string name, Func<TOwner, IList<string>> list) => List(name, TextList, list);

    /// <summary>A list that is null unless it was written: an empty one means something else.</summary>
    public static Member<TOwner> OptionalTexts<TOwner>(string name, Action<TOwner, IList<string>> set) =>
        new Member<TOwner, IReadOnlyList<string>>(name, TextList, (owner, items) => set(owner, [.. items]));

    public static Member<TOwner> List<TOwner, T>(string name, ListShape<T> shape, Func<TOwner, IList<T>> list) =>
        new Member<TOwner, IReadOnlyList<T>>(name, shape, (owner, items) =>
        {
            foreach (var item in items)
            {
                list(owner).Add(item);
            }
        });

    public static Member<TOwner> Headers<TOwner>(string name, Func<TOwner, IDictionary<string, string>> map) => Map(name, HeaderMap, map);

    public static Member<TOwner> Json<TOwner>(string name, Func<TOwner, IDictionary<string, JsonElement>> map) => Map(name, JsonMap, map);

    public static Member<TOwner> Map<TOwner, T>(string name, MapShape<T> shape, Func<TOwner, IDictionary<string, T>> map) =>
        new Member<TOwner, IReadOnlyList<KeyValuePair<string, T>>>(name, shape, (owner, entries) =>
        {
            foreach (var (key, value) in entries)
            {
                map(owner)[key] = value;
            }
        });
}
