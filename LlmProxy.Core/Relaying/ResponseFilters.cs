using System.Buffers;
using System.Text;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>The app's filters, applied to one answer.</summary>
internal sealed class ResponseFilters(IResponseFilter[] filters, LlmResponse response)
{
    /// <summary>Shows one event to the filters and writes what they made of it.</summary>
    public async ValueTask ApplyAsync(byte[] raw, SseEvent found, StreamInspector inspector, ClientStream client, CancellationToken cancellation)
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

        Write(shown, changed.WrittenSpan, client);
    }

    /// <summary>Shows a whole answer to the filters.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ApplyAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var shown = new LlmResponseAnswer(response, body);
        foreach (var filter in filters)
        {
            await filter.OnAnswerAsync(shown, cancellation);
        }

        return shown.Body;
    }

    private static void Write(LlmResponseEvent shown, ReadOnlySpan<byte> untouched, ClientStream client)
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

        client.Write(output.WrittenSpan);
    }
}
