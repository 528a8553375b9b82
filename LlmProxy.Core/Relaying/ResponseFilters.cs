using System.Buffers;
using System.Text;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>The app's filters, applied to one answer.</summary>
/// <param name="filters">In their order.</param>
/// <param name="response">What they are told of it.</param>
/// <param name="createInspector">Makes one for its dialect, as new.</param>
internal sealed class ResponseFilters(IResponseFilter[] filters, LlmResponse response, Func<StreamInspector> createInspector)
{
    /// <summary>Shows one event to the filters and writes what they made of it.</summary>
    /// <exception cref="InvalidOperationException">It was the end of the stream, and what they made of it is none.</exception>
    public async ValueTask ApplyAsync(
        byte[] raw, SseEvent found, StreamInspector inspector, ClientStream client, bool isEnd, CancellationToken cancellation)
    {
        var changed = new ArrayBufferWriter<byte>(raw.Length + 256);
        EventChange.Write(raw, found, inspector, changed);
        if (!found.HasData)
        {
            client.Write(changed.WrittenSpan);
            return;
        }

        var data = new ArrayBufferWriter<byte>(raw.Length);
        SseText.WriteJoinedData(changed.WrittenSpan, data);
        var name = found.Name.Length > 0 ? Encoding.UTF8.GetString(found.Name.In(raw)) : null;
        var shown = new LlmResponseEvent(response, name, data.WrittenMemory);
        foreach (var filter in filters)
        {
            await filter.OnEventAsync(shown, cancellation);
        }

        var output = Compose(shown, changed.WrittenSpan);
        if (isEnd && !HasEnd(output.WrittenSpan))
        {
            throw new InvalidOperationException("A response filter took away the event that ends the stream.");
        }

        client.Write(output.WrittenSpan);
    }

    /// <summary>Shows a whole answer to the filters.</summary>
    /// <exception cref="InvalidOperationException">What they made of it is no answer.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ApplyAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var shown = new LlmResponseAnswer(response, body);
        foreach (var filter in filters)
        {
            await filter.OnAnswerAsync(shown, cancellation);
        }

        return !shown.IsReplaced || JsonAnswer.TryRead(shown.Body.Span, out _)
            ? shown.Body
            : throw new InvalidOperationException("What a response filter made of a JSON answer is not one JSON object.");
    }

    // Without it the stream would end as cleanly as a whole one does.
    private bool HasEnd(ReadOnlySpan<byte> events)
    {
        var inspector = createInspector();
        var scanner = new SseScanner();
        while (scanner.TryRead(events, out var found))
        {
            if (inspector.Inspect(events[..found.Length], found) == StreamEventKind.Done)
            {
                return true;
            }

            events = events[found.Length..];
        }

        return false;
    }

    private static ArrayBufferWriter<byte> Compose(LlmResponseEvent shown, ReadOnlySpan<byte> untouched)
    {
        var output = new ArrayBufferWriter<byte>(untouched.Length + 256);
        var name = shown.Name is null ? [] : Encoding.UTF8.GetBytes(shown.Name);
        foreach (var added in shown.Before)
        {
            SseText.WriteData(name, added.Span, output);
        }

        if (!shown.IsDropped)
        {
            if (shown.IsReplaced)
            {
                SseText.WriteData(name, shown.Data.Span, output);
            }
            else
            {
                output.Write(untouched);
            }
        }

        foreach (var added in shown.After)
        {
            SseText.WriteData(name, added.Span, output);
        }

        return output;
    }
}
