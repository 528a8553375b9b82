using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>A method's signature for another file: as it is, but for the types that it names.</summary>
/// <param name="owner">Whose method.</param>
/// <param name="to">Gets it.</param>
/// <param name="reference">The other file's name for a type of the owner's file.</param>
internal sealed class SignatureCopy(KnownType owner, BlobBuilder to, Func<EntityHandle, EntityHandle> reference)
{
    /// <exception cref="BadImageFormatException">It is none, or has something in it that methods do not have.</exception>
    public void Copy(BlobHandle signature)
    {
        var from = owner.Reader.GetBlobReader(signature);
        CopyMethod(ref from);
    }

    private void CopyMethod(ref BlobReader from)
    {
        var header = from.ReadSignatureHeader();
        to.WriteByte(header.RawValue);
        if (header.IsGeneric)
        {
            CopyNumber(ref from);
        }

        var parameters = CopyNumber(ref from);
        for (var i = 0; i <= parameters; i++)
        {
            CopyType(ref from);
        }
    }

    private void CopyType(ref BlobReader from)
    {
        var code = from.ReadByte();
        to.WriteByte(code);
        switch ((SignatureTypeCode)code)
        {
            case SignatureTypeCode.RequiredModifier or SignatureTypeCode.OptionalModifier:
                CopyToken(ref from);
                CopyType(ref from);
                break;
            case SignatureTypeCode.Pointer or SignatureTypeCode.ByReference or SignatureTypeCode.SZArray or SignatureTypeCode.Pinned or SignatureTypeCode.Sentinel:
                CopyType(ref from);
                break;
            case (SignatureTypeCode)SignatureTypeKind.Class or (SignatureTypeCode)SignatureTypeKind.ValueType:
                CopyToken(ref from);
                break;
            case SignatureTypeCode.GenericTypeParameter or SignatureTypeCode.GenericMethodParameter:
                CopyNumber(ref from);
                break;
            case SignatureTypeCode.GenericTypeInstance:
                CopyType(ref from);
                for (var left = CopyNumber(ref from); left > 0; left--)
                {
                    CopyType(ref from);
                }

                break;
            case SignatureTypeCode.Array:
                CopyType(ref from);
                CopyShape(ref from);
                break;
            case SignatureTypeCode.FunctionPointer:
                CopyMethod(ref from);
                break;
        }
    }

    // Rank, then how many sizes and those, then how many lower bounds and those.
    private void CopyShape(ref BlobReader from)
    {
        CopyNumber(ref from);
        for (var sizes = CopyNumber(ref from); sizes > 0; sizes--)
        {
            CopyNumber(ref from);
        }

        for (var bounds = CopyNumber(ref from); bounds > 0; bounds--)
        {
            to.WriteCompressedSignedInteger(from.ReadCompressedSignedInteger());
        }
    }

    private void CopyToken(ref BlobReader from) => to.WriteCompressedInteger(CodedIndex.TypeDefOrRefOrSpec(reference(from.ReadTypeHandle())));

    private int CopyNumber(ref BlobReader from)
    {
        var number = from.ReadCompressedInteger();
        to.WriteCompressedInteger(number);
        return number;
    }
}
