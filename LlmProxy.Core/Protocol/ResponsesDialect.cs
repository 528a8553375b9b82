using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>The dialect of OpenAI's Responses: named events with sequence numbers, errors as everywhere in that API.</summary>
internal sealed class ResponsesDialect : Dialect
{
    public override bool ReleasesHeldEvents => true;

    public override StreamInspector CreateInspector(in StreamExpectation expectation) => new ResponsesInspector(expectation);

    public override void WriteError(ProxyError error, string message, string requestId, IBufferWriter<byte> output) =>
        OpenAIError.WriteBody(error, message, output);
}
