namespace LlmProxy.Core.Protocol;

/// <summary>
/// Objects that serve one request after another, kept by the thread that was done with them. Who gives one back is the last who holds it, and has made it
/// forget what it was for.
/// </summary>
/// <remarks>A thread's own, in a static field of who makes them: statics of a generic class would be looked up each time.</remarks>
internal struct Spares<T>
    where T : class
{
    // As many as a thread has in use at one moment, or nearly: where more wait, they wait for long.
    private const int Most = 32;

    private T?[]? _items;
    private int _count;

    /// <summary>The one given back last; null if there is none.</summary>
    public T? Take()
    {
        if (_count == 0)
        {
            return null;
        }

        ref var place = ref _items![--_count];
        var item = place;
        place = null;
        return item;
    }

    public void Give(T item)
    {
        if (_count < Most)
        {
            (_items ??= new T?[Most])[_count++] = item;
        }
    }
}
